// Batch normalisation as training computes it, and its gradient: a channel's mean and variance are
// those of the batch.
//
// Ioffe & Szegedy, "Batch Normalization", 2015, algorithm 1 and the equations of §3. Each direction
// is a sweep that leaves partial sums of the channels, a step that adds them up, and a sweep that
// computes element by element. What a sweep leaves is cut by shape only; tasks are independent.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

// [images, pixels, channels] or, without channels_last, [images, channels, pixels].
struct BatchNormShape {
  int64_t images = 1, pixels = 1, channels = 1;
  bool channels_last = true;
  int64_t count() const { return images * pixels; }  // of a channel
};

// y = clamp((x − mean) · inverse_std · scale + bias [+ residual], lo, hi)
struct BatchNormArgs {
  BatchNormShape shape;
  float epsilon = 0;
  float momentum = 0;  // running = running · momentum + batch · (1 − momentum)
  float lo = -__builtin_inff(), hi = __builtin_inff();
  const float* x = nullptr;
  const float* residual = nullptr;  // like x, or null
  const float* scale = nullptr;     // this and all that follow but y: [channels]
  const float* bias = nullptr;
  const float* running_mean = nullptr;
  const float* running_variance = nullptr;
  float* partial = nullptr;  // [parts, 2, channels]: means, sums of squared deviations from them
  float* mean = nullptr;
  float* inverse_std = nullptr;           // 1 / √(variance + epsilon), of all count() elements
  float* new_running_mean = nullptr;      // or null; may be running_mean
  float* new_running_variance = nullptr;  // or null; of the unbiased variance, as PyTorch's
  float* y = nullptr;                     // may be x or residual
};

// With dz the part of dy that passed the clamp, and x̂ = (x − mean) · inverse_std:
//   dbias = Σ dz,  dscale = Σ dz · x̂,
//   dx = scale · inverse_std · (dz − dbias / count − x̂ · dscale / count)
struct BatchNormGradArgs {
  BatchNormShape shape;
  float lo = -__builtin_inff(), hi = __builtin_inff();
  const float* x = nullptr;
  const float* dy = nullptr;
  const float* y = nullptr;      // tells what passed; null: computed anew from x and bias
  const float* scale = nullptr;  // this and all that follow but dz and dx: [channels]
  const float* bias = nullptr;   // null: nothing is clamped
  const float* mean = nullptr;
  const float* inverse_std = nullptr;
  float* partial = nullptr;  // [parts, 2, channels]: Σ dz, Σ dz · (x − mean)
  float* dz = nullptr;       // or null; may be dy or y
  float* dscale = nullptr;
  float* dbias = nullptr;
  float* dx = nullptr;  // may be x, y or dy

  bool clamped() const { return y || bias; }
};

struct BatchNormKernel {
  bool (*supports)(const BatchNormShape&);
  double (*cost)(const BatchNormShape&);
  int64_t (*parts)(const BatchNormShape&);          // how many partial sums a sweep leaves
  int64_t (*sweep_tasks)(const BatchNormShape&);    // of moments, normalize, grad_sums, grad_input
  int64_t (*channel_tasks)(const BatchNormShape&);  // of statistics, grad_totals
  void (*moments)(const BatchNormArgs&, int64_t task_begin, int64_t task_end) noexcept;
  void (*statistics)(const BatchNormArgs&, int64_t task_begin, int64_t task_end) noexcept;
  void (*normalize)(const BatchNormArgs&, int64_t task_begin, int64_t task_end) noexcept;
  void (*grad_sums)(const BatchNormGradArgs&, int64_t task_begin, int64_t task_end) noexcept;
  void (*grad_totals)(const BatchNormGradArgs&, int64_t task_begin, int64_t task_end) noexcept;
  void (*grad_input)(const BatchNormGradArgs&, int64_t task_begin, int64_t task_end) noexcept;
};

Rows<BatchNormKernel> BatchNormRows();
// Never null: the scalar row takes both layouts.
const Row<BatchNormKernel>* FindBatchNorm(const Cpu& cpu, const BatchNormShape& shape);

}  // namespace pare::kernels
