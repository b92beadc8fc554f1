// The sums of parts of the pixels, each laid out as dw; compiled per ISA: include after
// kernels/simd/<isa>.h. The first part's are in dw itself.
#pragma once

#include "kernels/convgrad/convgrad.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

struct PartSum {
  static constexpr int64_t kTaskFloats = 1 << 14;

  int64_t parts, count, step;  // floats of dw, and from one part to the next

  PartSum(const ConvShape& s, int64_t parts)
      : parts(parts),
        count(s.out_c * s.kernel_h * s.kernel_w * s.group_in()),
        step(RoundUp(count, kAlignment / 4)) {}

  int64_t bytes() const { return (parts - 1) * step * 4; }
  float* of(const ConvGradArgs& args, int64_t part) const {
    return part == 0 ? args.dw : args.partials + (part - 1) * step;
  }
  int64_t tasks() const { return parts > 1 ? CeilDiv(count, kTaskFloats) : 0; }

  void Run(const ConvGradArgs& args, int64_t task_begin, int64_t task_end) const noexcept {
    const int64_t end = MinInt(count, task_end * kTaskFloats);
    const auto add = [&](int64_t i, auto... tail) {
      F32 sum = Load(args.dw + i, tail...);
      for (int64_t part = 1; part < parts; ++part) {
        sum = Add(sum, Load(of(args, part) + i, tail...));
      }
      Store(args.dw + i, sum, tail...);
    };
    int64_t i = task_begin * kTaskFloats;
    for (; i + kLanes <= end; i += kLanes) add(i);
    if (i < end) add(i, FirstN(end - i));
  }
};

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
