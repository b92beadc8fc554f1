// Every row: the loss of a batch of pictures, and the gradient of an encoder's attention weights.
#include "kernels/benching.h"
#include "kernels/crossentropy/crossentropy.h"

namespace pare::kernels {
namespace {

void RunLoss(benchmark::State& state, const Row<CrossEntropyKernel>& row,
             const CrossEntropyShape& s) {
  Aligned<float> logits(s.rows * s.n), target(s.rows * s.n), loss(s.rows), log_sum(s.rows);
  const CrossEntropyArgs args{.shape = s,
                              .logits = logits.data(),
                              .target = target.data(),
                              .loss = loss.data(),
                              .log_sum = log_sum.data()};
  for (auto _ : state) row->loss(args, 0, row->tasks(s));
}

void RunSoftmaxGrad(benchmark::State& state, const Row<CrossEntropyKernel>& row,
                    const CrossEntropyShape& s) {
  Aligned<float> y(s.rows * s.n), dy(s.rows * s.n), dx(s.rows * s.n);
  const SoftmaxGradArgs args{.shape = s, .y = y.data(), .dy = dy.data(), .dx = dx.data()};
  for (auto _ : state) row->softmax_grad(args, 0, row->tasks(s));
  state.SetBytesProcessed(state.iterations() * 3 * s.rows * s.n * 4);
}

const bool kRegistered = [] {
  RegisterRows(CrossEntropyRows(), CrossEntropyShape{64, 1000}, RunLoss,
               {{"loss_rows", 64}, {"n", 1000}});
  RegisterRows(CrossEntropyRows(), CrossEntropyShape{12288, 128}, RunSoftmaxGrad,
               {{"softmax_grad_rows", 12288}, {"n", 128}});
  return true;
}();

}  // namespace
}  // namespace pare::kernels
