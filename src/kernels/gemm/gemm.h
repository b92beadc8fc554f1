// f32 matrix product with prepacked B: C[m, n] = act(A[m, k] · B[k, n] + bias [+ residual]).
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

enum class GemmB : uint8_t {
  kKN,  // [k, n]
  kNK,  // [n, k], transposed: how weights of Gemm(transB) and of 1×1 convolutions lie
};

struct GemmShape {
  int64_t m = 0, n = 0, k = 0;
};

// One product. Batches are the caller's loop. C overlaps neither A nor B; residual may be C itself.
struct GemmArgs {
  GemmShape shape;
  const float* a = nullptr;  // [m, k], rows lda apart
  int64_t lda = 0;
  const void* packed = nullptr;     // what pack() wrote
  const float* residual = nullptr;  // [m, n], rows ldr apart, or null
  int64_t ldr = 0;
  float* c = nullptr;  // [m, n], rows ldc apart
  int64_t ldc = 0;
  Activation activation;
};

// The functions of a row. Rows with the same `pack` share packed bytes, which depend on n and k
// only, so that weights are packed once for all m. `packed` is kAlignment-aligned.
//
// Where B is an activation too, the caller packs it at run time: panels are independent, so that a
// step may hand out [0, panels) as tasks, with a second step for run() after a barrier.
struct GemmKernel {
  bool (*supports)(const GemmShape&);
  double (*cost)(const GemmShape&);
  int64_t (*panels)(const GemmShape&);
  int64_t (*packed_bytes)(const GemmShape&);
  // B's rows are ldb apart (n or k for dense ones); bias is [n] or null.
  void (*pack)(const GemmShape&, GemmB order, const float* b, int64_t ldb, const float* bias,
               int64_t panel_begin, int64_t panel_end, void* packed) noexcept;
  // Tasks are independent and depend on the shape only; each needs scratch_bytes of its own.
  int64_t (*tasks)(const GemmShape&);
  int64_t (*scratch_bytes)(const GemmShape&);
  void (*run)(const GemmArgs&, int64_t task_begin, int64_t task_end, void* scratch) noexcept;
};

Rows<GemmKernel> GemmRows();

// Never null: the scalar row takes every shape.
const Row<GemmKernel>* FindGemm(const Cpu& cpu, const GemmShape& shape);

}  // namespace pare::kernels
