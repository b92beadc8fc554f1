// Every row of the table: normalised rows of encoders, and x · scale + shift of pictures.
#include "kernels/benching.h"
#include "kernels/norm/norm.h"

namespace pare::kernels {
namespace {

void RunRows(benchmark::State& state, const Row<NormKernel>& row, const NormShape& s) {
  Aligned<float> x(s.lines * s.n), y(s.lines * s.n), scale(s.n), bias(s.n);
  const RowNormArgs args{.rows = s.lines,
                         .n = s.n,
                         .eps = 1e-5f,
                         .x = x.data(),
                         .scale = scale.data(),
                         .bias = bias.data(),
                         .y = y.data()};
  for (auto _ : state) row->rows(args, 0, row->row_tasks(s.lines, s.n));
}

void RunAffine(benchmark::State& state, const Row<NormKernel>& row, const NormShape& s) {
  Aligned<float> x(s.lines * s.n), y(s.lines * s.n), scale(s.n), shift(s.n);
  const AffineArgs args{.images = 1,
                        .pixels = s.lines,
                        .channels = s.n,
                        .x = x.data(),
                        .scale = scale.data(),
                        .shift = shift.data(),
                        .y = y.data()};
  for (auto _ : state) row->affine(args, 0, row->affine_tasks(1, s.lines, s.n));
}

const bool kRegistered = [] {
  RegisterRows(NormRows(), NormShape{128, 384}, RunRows, {{"rows", 128}, {"n", 384}});
  RegisterRows(NormRows(), NormShape{128, 768}, RunRows, {{"rows", 128}, {"n", 768}});
  RegisterRows(NormRows(), NormShape{3136, 64}, RunAffine, {{"pixels", 3136}, {"channels", 64}});
  return true;
}();

}  // namespace
}  // namespace pare::kernels
