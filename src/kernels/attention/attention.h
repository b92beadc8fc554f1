// f32 attention: y = softmax(scale · q · kᵀ + mask) · v, for every head of every batch item.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct AttentionShape {
  int64_t batch = 1, heads = 1;
  int64_t q_len = 0, k_len = 0;  // positions of queries; of keys and values
  int64_t d = 0;                 // elements of a query and of a key
  int64_t dv = 0;                // elements of a value and of a result
};

// Elements from one batch item, head and position to the next; a position's own elements are
// neighbours. So [batch, length, heads, d] and [batch, heads, length, d] are both fine. 0 repeats.
struct AttentionStrides {
  int64_t batch = 0, head = 0, position = 0;
};

struct AttentionArgs {
  AttentionShape shape;
  float scale = 1;
  const float* q = nullptr;
  const float* k = nullptr;
  const float* v = nullptr;
  const float* mask =
      nullptr;  // added before the softmax, or null; a position's k_len elements are neighbours
  float* y = nullptr;  // overlaps none of the inputs
  AttentionStrides q_strides, k_strides, v_strides, mask_strides, y_strides;
};

struct AttentionKernel {
  bool (*supports)(const AttentionShape&);
  double (*cost)(const AttentionShape&);
  // Tasks are independent and depend on the shape only; each needs scratch_bytes of its own.
  int64_t (*tasks)(const AttentionShape&);
  int64_t (*scratch_bytes)(const AttentionShape&);
  void (*run)(const AttentionArgs&, int64_t task_begin, int64_t task_end, void* scratch) noexcept;
};

Rows<AttentionKernel> AttentionRows();

// Never null: the scalar row takes every shape.
const Row<AttentionKernel>* FindAttention(const Cpu& cpu, const AttentionShape& shape);

}  // namespace pare::kernels
