// What pare.BatchNorm and its gradient share (kernels/batchnorm).
#pragma once

#include "kernels/batchnorm/batchnorm.h"
#include "ops/norm.h"

namespace pare::ops {

// What both are made from: x in input 0, and the row that serves it.
struct BatchNormPlan {
  kernels::BatchNormShape shape;
  float lo, hi;  // the fused clamp
  const kernels::Row<kernels::BatchNormKernel>* row;

  size_t vector_bytes() const { return static_cast<size_t>(shape.channels) * sizeof(float); }
  size_t partial_bytes() const {
    return 2 * static_cast<size_t>((*row)->parts(shape)) * vector_bytes();
  }
};
// Checks that the inputs `vectors` have an element a channel, and that those `like_x`, where they
// are there, have the shape of x.
Result<BatchNormPlan> PlanBatchNorm(const PrepareContext& context,
                                    std::initializer_list<int> vectors,
                                    std::initializer_list<int> like_x);

}  // namespace pare::ops
