// One step of an optimizer over one parameter: everything that it reads and writes of an element in
// one pass. All arrays have `count` elements; what is new may lie where the old did.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

// Stochastic gradient descent with momentum (Sutskever et al., "On the importance of initialization
// and momentum in deep learning", 2013) as PyTorch writes it. With d = g · gradient_scale + p ·
// weight_decay:
//   buffer' = buffer · momentum + d
//   p' = p − rate · (nesterov ? d + buffer' · momentum : buffer')
// Without a buffer there is no momentum: p' = p − rate · d.
struct SgdArgs {
  int64_t count = 0;
  float rate = 0, gradient_scale = 1, momentum = 0, weight_decay = 0;
  bool nesterov = false;
  const float* p = nullptr;
  const float* g = nullptr;
  const float* buffer = nullptr;  // or null
  float* new_p = nullptr;
  float* new_buffer = nullptr;  // where there is a buffer
};

// Adam with decoupled weight decay (Loshchilov & Hutter, "Decoupled Weight Decay Regularization",
// 2019, algorithm 2) as PyTorch writes it. With d = g · gradient_scale:
//   m' = m + (d − m) · (1 − beta1)
//   v' = v · beta2 + d² · (1 − beta2)
//   p' = p · keep − rate · m' / (√v' · root_scale + epsilon)
struct AdamWArgs {
  int64_t count = 0;
  float beta1 = 0, beta2 = 0, epsilon = 0, gradient_scale = 1;
  float rate = 0;        // the learning rate / (1 − beta1^step)
  float root_scale = 1;  // 1 / √(1 − beta2^step)
  float keep = 1;        // 1 − the learning rate · the weight decay
  const float* p = nullptr;
  const float* g = nullptr;
  const float* m = nullptr;
  const float* v = nullptr;
  float* new_p = nullptr;
  float* new_m = nullptr;
  float* new_v = nullptr;
};

struct UpdateShape {};

struct UpdateKernel {
  bool (*supports)(const UpdateShape&);  // rows take every count and don't compete
  double (*cost)(const UpdateShape&);
  int64_t (*tasks)(int64_t count);
  void (*sgd)(const SgdArgs&, int64_t task_begin, int64_t task_end) noexcept;
  void (*adamw)(const AdamWArgs&, int64_t task_begin, int64_t task_end) noexcept;
};

Rows<UpdateKernel> UpdateRows();
const Row<UpdateKernel>* FindUpdate(const Cpu& cpu);  // never null

}  // namespace pare::kernels
