// The register tile of weight gradients, compiled per ISA: include after kernels/simd/<isa>.h.
//
// dw[kRows, kVectors · kLanes] += Σ over pixels of dy's row by x's row: an outer product a pixel,
// whose sums stay in registers. Both operands lie pixel by pixel, so that neither is transposed:
// dy is broadcast element by element, x is loaded in vectors.
#pragma once

#include "kernels/gemm/tile-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct GradTileArgs {
  int64_t pixels;
  const float* dy;  // [pixels, kRows], dy_step apart
  int64_t dy_step;
  const float* x;  // [pixels, kVectors · kLanes], x_step apart
  int64_t x_step;
  float* dw;  // [kRows, columns], dw_step apart
  int64_t dw_step;
  int64_t columns;  // valid ones, 1 … kVectors · kLanes
  bool adds;        // to what dw holds; else it is overwritten
};

template <int kRows, int kVectors>
void RunGradTile(const GradTileArgs& args) noexcept {
  F32 acc[kRows][kVectors];
  PARE_UNROLL for (int r = 0; r < kRows; ++r) {
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = Zero();
  }
  const float* dy = args.dy;
  const float* x = args.x;
  for (int64_t p = 0; p < args.pixels; ++p, dy += args.dy_step, x += args.x_step) {
    F32 xv[kVectors];
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) xv[v] = Load(x + v * kLanes);
    PARE_UNROLL for (int r = 0; r < kRows; ++r) {
      const F32 gradient = Set(dy[r]);
      PARE_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = Fma(gradient, xv[v], acc[r][v]);
    }
  }
  const auto store = [&](int r, int v, auto... tail) {
    float* to = args.dw + r * args.dw_step + v * kLanes;
    Store(to, args.adds ? Add(acc[r][v], Load(to, tail...)) : acc[r][v], tail...);
  };
  PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
    const int64_t left = args.columns - v * kLanes;
    if (left >= kLanes) {
      PARE_UNROLL for (int r = 0; r < kRows; ++r) store(r, v);
    } else {
      const Tail tail = FirstN(left > 0 ? left : 0);
      PARE_UNROLL for (int r = 0; r < kRows; ++r) store(r, v, tail);
    }
  }
}

// The cycles of an outer product: two vectors of multiply-adds in one, of 16 lanes rather one.
inline double OuterProductCycles(int64_t rows, int64_t columns) {
  return (kLanes == 16 ? 0.8 : 0.5) * static_cast<double>(rows * CeilDiv(columns, kLanes));
}

template <int kRows, int kVectors>
struct GradTile {
  static constexpr auto kRun = RunGradTile<kRows, kVectors>;
};
using F32GradTiles = Tiles<F32Tiles::kRows, F32Tiles::kColumns / kLanes, GradTileArgs, GradTile>;

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
