// Every row of the table on shapes of real networks; `GMAC/s` is what to look at.
#include "kernels/benching.h"
#include "kernels/gemm/gemm.h"

namespace pare::kernels {
namespace {

void Run(benchmark::State& state, const Row<GemmKernel>& row, const GemmShape& s) {
  Aligned<float> a(s.m * s.k), b(s.n * s.k), c(s.m * s.n);
  Aligned<char> packed(row->packed_bytes(s)), scratch(row->scratch_bytes(s));
  row->pack(s, GemmB::kKN, b.data(), s.n, nullptr, 0, row->panels(s), packed.data());
  const GemmArgs args{.shape = s,
                      .a = a.data(),
                      .lda = s.k,
                      .packed = packed.data(),
                      .residual = nullptr,
                      .ldr = 0,
                      .c = c.data(),
                      .ldc = s.n,
                      .activation = {.kind = Activation::Kind::kClamp, .lo = 0}};
  for (auto _ : state) row->run(args, 0, row->tasks(s), scratch.data());
  CountMacs(state, static_cast<double>(s.m * s.n * s.k));
}

const bool kRegistered = [] {
  const GemmShape shapes[] = {{12544, 16, 32},  {3136, 24, 144}, {784, 192, 32},  {196, 576, 96},
                              {49, 960, 160},   {49, 1280, 320}, {128, 384, 384}, {128, 1536, 384},
                              {128, 384, 1536}, {512, 512, 512}, {1, 1000, 1280}};
  for (const GemmShape& shape : shapes) {
    RegisterRows(GemmRows(), shape, Run, {{"m", shape.m}, {"n", shape.n}, {"k", shape.k}});
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
