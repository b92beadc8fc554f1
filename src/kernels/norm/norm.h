// The parts of normalisations: statistics, normalised rows, and y = x · scale + shift by channel.
//
// Deviations are summed in a second pass, after the mean is known, so that a large mean costs no
// accuracy. Every function cuts its work by shape only; tasks are independent.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

// y[r] = (x[r] − mean) / √(variance + eps) · scale + bias, a row of n elements at a time; with
// `rms` nothing is subtracted and the variance is the mean square.
struct RowNormArgs {
  int64_t rows = 0, n = 0;
  float eps = 0;
  bool rms = false;
  const float* x = nullptr;      // [rows, n]
  const float* scale = nullptr;  // [n], or null for 1
  const float* bias = nullptr;   // [n], or null for 0
  float* y = nullptr;            // [rows, n]; may be x
  float* mean = nullptr;         // [rows], or null
  float* inverse_std = nullptr;  // [rows], or null
};

// Mean and variance along the middle of [outer, n, inner].
struct MomentsArgs {
  int64_t outer = 0, n = 0, inner = 1;
  const float* x = nullptr;
  float* mean = nullptr;      // [outer, inner]
  float* variance = nullptr;  // [outer, inner]
};

// y = x · scale[c] + shift[c] over images of [pixels, channels] (channels_last) or [channels,
// pixels].
struct AffineArgs {
  int64_t images = 0, pixels = 0, channels = 0;
  bool channels_last = true;
  bool per_image = false;  // scale and shift are [images, channels] rather than [channels]
  const float* x = nullptr;
  const float* scale = nullptr;
  const float* shift = nullptr;
  float* y = nullptr;  // may be x
};

struct NormShape {
  int64_t lines = 0, n = 0;
};

struct NormKernel {
  bool (*supports)(const NormShape&);  // rows take every shape and don't compete
  double (*cost)(const NormShape&);
  int64_t (*row_tasks)(int64_t rows, int64_t n);
  void (*rows)(const RowNormArgs&, int64_t task_begin, int64_t task_end) noexcept;
  int64_t (*moments_tasks)(int64_t outer, int64_t n, int64_t inner);
  void (*moments)(const MomentsArgs&, int64_t task_begin, int64_t task_end) noexcept;
  int64_t (*affine_tasks)(int64_t images, int64_t pixels, int64_t channels);
  void (*affine)(const AffineArgs&, int64_t task_begin, int64_t task_end) noexcept;
};

Rows<NormKernel> NormRows();
const Row<NormKernel>* FindNorm(const Cpu& cpu);  // never null

}  // namespace pare::kernels
