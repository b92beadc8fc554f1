// Quantized pooling, compiled per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/qpool/window.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

constexpr int64_t kPoolBytes = kLanes * 4;

// The greatest of each of kPoolBytes channels.
PARE_INLINE I32 MaxOfWindow(const QPoolWindow& window, int64_t channel) {
  I32 most = ZeroI32();
  const uint8_t* row = window.first + channel;
  for (int64_t y = 0; y < window.rows; ++y, row += window.row_step) {
    const uint8_t* from = row;
    for (int64_t x = 0; x < window.cols; ++x, from += window.col_step) {
      most = MaxU8(most, LoadBytes(from));
    }
  }
  return most;
}

inline void RunMax(const QPoolArgs& args, int64_t begin, int64_t end) noexcept {
  const QPoolShape& s = args.shape;
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t x = 0; x < s.out_w; ++x) {
      const QPoolWindow window(args, row, x);
      uint8_t* y = args.y + (row * s.out_w + x) * s.y_stride();
      int64_t c = 0;
      for (; c + kPoolBytes <= s.channels; c += kPoolBytes) {
        StoreBytes(y + c, MaxOfWindow(window, c));
      }
      for (; c < s.channels; c += kLanes) {
        const Tail tail = FirstN(s.channels - c);
        I32 most = ZeroI32();
        for (int64_t ky = 0; ky < window.rows; ++ky) {
          const uint8_t* from = window.first + ky * window.row_step + c;
          for (int64_t kx = 0; kx < window.cols; ++kx, from += window.col_step) {
            most = Max(most, LoadU8(from, tail));
          }
        }
        StoreU8(y + c, most, tail);
      }
    }
  }
}

inline void RunAvg(const QPoolArgs& args, int64_t begin, int64_t end) noexcept {
  const QPoolShape& s = args.shape;
  const F32 lo = Set(static_cast<float>(args.lo - args.y_zero_point));
  const F32 hi = Set(static_cast<float>(args.hi - args.y_zero_point));
  const I32 zero_point = Set(args.y_zero_point);
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t x = 0; x < s.out_w; ++x) {
      const QPoolWindow window(args, row, x);
      const F32 scale = Set(window.scale);
      const I32 start = Set(static_cast<int32_t>(-window.rows * window.cols * args.x_zero_point));
      uint8_t* y = args.y + (row * s.out_w + x) * s.y_stride();
      for (int64_t c = 0; c < s.channels; c += kLanes) {
        const Tail tail = FirstN(s.channels - c);
        const bool whole = s.channels - c >= kLanes;
        I32 sum = start;
        for (int64_t ky = 0; ky < window.rows; ++ky) {
          const uint8_t* from = window.first + ky * window.row_step + c;
          for (int64_t kx = 0; kx < window.cols; ++kx, from += window.col_step) {
            sum = Add(sum, whole ? LoadU8(from) : LoadU8(from, tail));
          }
        }
        const F32 mean = Min(Max(Mul(ToFloat(sum), scale), lo), hi);
        StoreU8(y + c, Add(ToInt(mean), zero_point), tail);
      }
    }
  }
}

constexpr QPoolKernel MakeQPool() { return {.max = RunMax, .avg = RunAvg}; }

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
