// Every row over as many parameters as a small network has, all of them read from memory.
#include "kernels/benching.h"
#include "kernels/update/update.h"

namespace pare::kernels {
namespace {

struct Count {
  int64_t count;
  operator UpdateShape() const { return {}; }
};

void RunSgd(benchmark::State& state, const Row<UpdateKernel>& row, const Count& s) {
  Aligned<float> p(s.count), g(s.count), buffer(s.count);
  const SgdArgs args{.count = s.count,
                     .rate = 0.1f,
                     .momentum = 0.9f,
                     .p = p.data(),
                     .g = g.data(),
                     .buffer = buffer.data(),
                     .new_p = p.data(),
                     .new_buffer = buffer.data()};
  for (auto _ : state) row->sgd(args, 0, row->tasks(s.count));
  state.SetBytesProcessed(state.iterations() * 5 * s.count * 4);
}

void RunAdamW(benchmark::State& state, const Row<UpdateKernel>& row, const Count& s) {
  Aligned<float> p(s.count), g(s.count), m(s.count), v(s.count);
  const AdamWArgs args{.count = s.count,
                       .beta1 = 0.9f,
                       .beta2 = 0.999f,
                       .epsilon = 1e-8f,
                       .rate = 0.1f,
                       .p = p.data(),
                       .g = g.data(),
                       .m = m.data(),
                       .v = v.data(),
                       .new_p = p.data(),
                       .new_m = m.data(),
                       .new_v = v.data()};
  for (auto _ : state) row->adamw(args, 0, row->tasks(s.count));
  state.SetBytesProcessed(state.iterations() * 7 * s.count * 4);
}

const bool kRegistered = [] {
  RegisterRows(UpdateRows(), Count{11'000'000}, RunSgd, {{"sgd", 11'000'000}});
  RegisterRows(UpdateRows(), Count{11'000'000}, RunAdamW, {{"adamw", 11'000'000}});
  return true;
}();

}  // namespace
}  // namespace pare::kernels
