// Interpolation along one axis: each line of the output is a weighted sum of lines of the input.
//   y[o, j, i] = Σ_t weight[j, t] · x[o, index[j, t], i]
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct ResizeShape {
  int64_t outer = 1, in = 1, out = 1, inner = 1;
  int64_t taps = 1;

  // A task is some lines of the output.
  int64_t lines_a_task() const { return MaxInt(1, 8192 / MaxInt(1, inner * taps)); }
  int64_t tasks() const { return CeilDiv(outer * out, lines_a_task()); }
};

struct ResizeArgs {
  ResizeShape shape;
  const int32_t* index = nullptr;  // [out, taps]; −1 in the first tap: the line is all `outside`
  const float* weight = nullptr;   // [out, taps]
  float outside = 0;
  const float* x = nullptr;  // [outer, in, inner]
  float* y = nullptr;        // [outer, out, inner]
};

struct ResizeKernel {
  bool (*supports)(const ResizeShape&);
  double (*cost)(const ResizeShape&);
  void (*run)(const ResizeArgs&, int64_t task_begin, int64_t task_end) noexcept;
};

Rows<ResizeKernel> ResizeRows();

// Never null: the scalar row takes every shape.
const Row<ResizeKernel>* FindResize(const Cpu& cpu, const ResizeShape& shape);

}  // namespace pare::kernels
