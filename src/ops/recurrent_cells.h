// One step of recurrent layers and back: what pare.LstmGrad, pare.GruGrad and pare.RnnGrad go
// through time with.
#pragma once

#include "kernels/recurrent/recurrent.h"

namespace pare::ops::recurrent {

// One direction of a layer.
struct Layer {
  kernels::CellShape cell;
  bool linear_before_reset = false;
  const float* r = nullptr;
  const float* bias = nullptr;  // null: none

  // out[j] = row j of r · h + its bias, for rows [first, first + count).
  void Multiply(const float* h, int64_t first, int64_t count, float* out) const noexcept {
    for (int64_t j = 0; j < count; ++j) {
      const float* row = r + (first + j) * cell.hidden;
      float sum = bias ? bias[first + j] : 0.0f;
      for (int64_t k = 0; k < cell.hidden; ++k) sum += row[k] * h[k];
      out[j] = sum;
    }
  }
  // dh += rᵀ · d over those rows.
  void AddTransposed(const float* d, int64_t first, int64_t count, float* dh) const noexcept {
    for (int64_t j = 0; j < count; ++j) {
      const float* row = r + (first + j) * cell.hidden;
      for (int64_t k = 0; k < cell.hidden; ++k) dh[k] += d[j] * row[k];
    }
  }
};

// What a step read and summed up: the states before it, its gates' sums, and for GRU the product of
// the candidate with r (linear_before_reset), or what that is a product of: r · h.
struct Moment {
  float *h, *c, *sums, *candidate;
};

// Where a step's gradients go.
struct Gradients {
  float* sums;
  float *candidate, *candidate_before;  // GRU
};

struct Cell {
  // Completes `now` from x's sums, and writes the states after it.
  void (*forward)(const Layer&, const float* x, const Moment& now, const Moment& next) noexcept;
  // dh and dc: the gradients of the states after the step become those of the states before it.
  void (*backward)(const Layer&, const Moment& now, const Moment& next, float* dh, float* dc,
                   const Gradients&, float* work) noexcept;
};

extern const Cell kLstmCell, kGruCell, kRnnCell;

}  // namespace pare::ops::recurrent
