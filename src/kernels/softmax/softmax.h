// Softmax and its logarithm along the middle of [outer, n, inner], dense:
//   y = e^(x − max) / Σ e^(x − max)      or      y = x − max − ln Σ e^(x − max)
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct SoftmaxShape {
  int64_t outer = 1, n = 1, inner = 1;
  bool log = false;
};

struct SoftmaxArgs {
  SoftmaxShape shape;
  const float* x = nullptr;
  float* y = nullptr;  // may be x
};

struct SoftmaxKernel {
  bool (*supports)(const SoftmaxShape&);
  double (*cost)(const SoftmaxShape&);
  // Tasks are independent and depend on the shape only.
  int64_t (*tasks)(const SoftmaxShape&);
  void (*run)(const SoftmaxArgs&, int64_t task_begin, int64_t task_end) noexcept;
};

Rows<SoftmaxKernel> SoftmaxRows();

// Never null: the scalar row takes every shape.
const Row<SoftmaxKernel>* FindSoftmax(const Cpu& cpu, const SoftmaxShape& shape);

}  // namespace pare::kernels
