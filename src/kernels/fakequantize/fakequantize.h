// What quantizing a number and taking it back leaves of it, and the gradients of that for training
// (Esser et al., "Learned Step Size Quantization", 2020, eqs. 1-3). With v = x / s:
//   y = clamp(rne(v), lo, hi) · s
//   dx = dy where lo ≤ v ≤ hi, else 0
//   ds = g · Σ dy · (rne(v) − v inside, lo below, hi above)
// lo and hi are levels minus the zero point: adding and taking away an integer changes nothing.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

// x as [outer, scales, inner]; one scale for all is [1, 1, count].
struct FakeQuantizeShape {
  int64_t outer = 1, scales = 1, inner = 1;
  int64_t count() const { return outer * scales * inner; }
};

struct FakeQuantizeArgs {
  FakeQuantizeShape shape;
  float lo = 0, hi = 0;
  const float* x = nullptr;
  const float* scale = nullptr;  // [scales]
  float* y = nullptr;            // may be x
};

struct FakeQuantizeGradArgs {
  FakeQuantizeShape shape;
  float lo = 0, hi = 0;
  float gradient_scale = 1;  // g
  const float* x = nullptr;
  const float* dy = nullptr;
  const float* scale = nullptr;  // [scales]
  float* partial = nullptr;      // [parts, scales]: of ds
  float* dx = nullptr;           // may be x or dy
  float* ds = nullptr;           // [scales]
};

// What is cut is cut by shape only; tasks are independent.
struct FakeQuantizeKernel {
  bool (*supports)(const FakeQuantizeShape&);  // rows take every shape and don't compete
  double (*cost)(const FakeQuantizeShape&);
  int64_t (*tasks)(const FakeQuantizeShape&);  // of `quantize`
  void (*quantize)(const FakeQuantizeArgs&, int64_t task_begin, int64_t task_end) noexcept;
  int64_t (*parts)(const FakeQuantizeShape&);       // what each scale's sum is cut into
  int64_t (*grad_tasks)(const FakeQuantizeShape&);  // of `grad`, which leaves dx and partial
  void (*grad)(const FakeQuantizeGradArgs&, int64_t task_begin, int64_t task_end) noexcept;
  // ds from partial: one task.
  void (*totals)(const FakeQuantizeGradArgs&) noexcept;
};

Rows<FakeQuantizeKernel> FakeQuantizeRows();
const Row<FakeQuantizeKernel>* FindFakeQuantize(const Cpu& cpu);  // never null

}  // namespace pare::kernels
