// The gradient of layer normalisation (Ba, Kiros & Hinton, "Layer Normalization", 2016), a row of n
// elements at a time. With x̂ = (x − mean) · inverse_std of its row and d = dy · scale:
//   dx = inverse_std · (d − (Σ d) / n − x̂ · (Σ d · x̂) / n),  dscale = Σ dy · x̂,  dbias = Σ dy,
// the last two over the rows.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct LayerNormGradShape {
  int64_t rows = 0, n = 0;
};

struct LayerNormGradArgs {
  LayerNormGradShape shape;
  const float* x = nullptr;            // [rows, n]
  const float* dy = nullptr;           // [rows, n]
  const float* scale = nullptr;        // [n]
  const float* mean = nullptr;         // [rows]
  const float* inverse_std = nullptr;  // [rows]
  float* partial = nullptr;            // [parts, 2, n]: of dscale and dbias
  float* dx = nullptr;                 // [rows, n]; may be x or dy
  float* dscale = nullptr;             // [n]
  float* dbias = nullptr;              // [n]
};

// What is cut is cut by shape only; tasks are independent.
struct LayerNormGradKernel {
  bool (*supports)(const LayerNormGradShape&);  // rows take every shape and don't compete
  double (*cost)(const LayerNormGradShape&);
  int64_t (*parts)(const LayerNormGradShape&);  // as many tasks has `rows`: it leaves dx, partial
  void (*rows)(const LayerNormGradArgs&, int64_t task_begin, int64_t task_end) noexcept;
  int64_t (*total_tasks)(const LayerNormGradShape&);
  void (*totals)(const LayerNormGradArgs&, int64_t task_begin, int64_t task_end) noexcept;
};

Rows<LayerNormGradKernel> LayerNormGradRows();
const Row<LayerNormGradKernel>* FindLayerNormGrad(const Cpu& cpu);  // never null

}  // namespace pare::kernels
