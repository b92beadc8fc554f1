// The cross-entropy of rows of logits with target distributions, and its gradient; and the gradient
// of softmax. Nothing overflows: exponents are taken of differences from the row's maximum or
// logarithm of the sum.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct CrossEntropyShape {
  int64_t rows = 0, n = 0;
};

// With lse = ln Σ e^logits: loss = Σ target · (lse − logits).
struct CrossEntropyArgs {
  CrossEntropyShape shape;
  const float* logits = nullptr;  // [rows, n]
  const float* target = nullptr;  // [rows, n]
  float* loss = nullptr;          // [rows]
  float* log_sum = nullptr;       // [rows]: lse
};

// dlogits = (e^(logits − lse) · Σ target − target) · dloss
struct CrossEntropyGradArgs {
  CrossEntropyShape shape;
  const float* logits = nullptr;   // [rows, n]
  const float* target = nullptr;   // [rows, n]
  const float* log_sum = nullptr;  // [rows]
  const float* dloss = nullptr;    // [rows]
  float* dlogits = nullptr;        // [rows, n]; may be logits or target
};

// dx = y · (dy − Σ y · dy) for y = softmax(x)
struct SoftmaxGradArgs {
  CrossEntropyShape shape;
  const float* y = nullptr;   // [rows, n]
  const float* dy = nullptr;  // [rows, n]
  float* dx = nullptr;        // [rows, n]; may be y or dy
};

struct CrossEntropyKernel {
  bool (*supports)(const CrossEntropyShape&);  // rows take every shape and don't compete
  double (*cost)(const CrossEntropyShape&);
  // Of every function; tasks are independent and depend on the shape only.
  int64_t (*tasks)(const CrossEntropyShape&);
  void (*loss)(const CrossEntropyArgs&, int64_t task_begin, int64_t task_end) noexcept;
  void (*grad)(const CrossEntropyGradArgs&, int64_t task_begin, int64_t task_end) noexcept;
  void (*softmax_grad)(const SoftmaxGradArgs&, int64_t task_begin, int64_t task_end) noexcept;
};

Rows<CrossEntropyKernel> CrossEntropyRows();
const Row<CrossEntropyKernel>* FindCrossEntropy(const Cpu& cpu);  // never null

}  // namespace pare::kernels
