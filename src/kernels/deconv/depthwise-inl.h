// Depthwise transposed convolution, compiled per ISA: include after kernels/simd/<isa>.h. Pixel by
// pixel as dwconv does where no faster form fits; only which taps a pixel has differs.
#pragma once

#include "kernels/deconv/deconv-inl.h"
#include "kernels/dwconv/dwconv-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// The taps that reach the pixels of an output line from inside of the image.
struct DwDeconvTaps {
  const float* image;
  int64_t oy;
  DeconvAxis y, x;

  DwDeconvTaps(const ConvArgs& args, int64_t line)
      : image(args.x +
              line / args.shape.out_h * args.shape.in_h * args.shape.in_w * args.shape.in_stride),
        oy(line % args.shape.out_h),
        y(DeconvAxis::Y(args.shape)),
        x(DeconvAxis::X(args.shape)) {}

  int64_t Find(const ConvArgs& args, int64_t ox, DwTap* taps) const noexcept {
    const ConvShape& s = args.shape;
    const DwLayout layout(s);
    const float* weights = static_cast<const float*>(args.packed) + layout.channels;
    int64_t count = 0;
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const int64_t iy = y.input(oy, ky);
      if (!y.has(oy, ky) || iy < 0 || iy >= s.in_h) continue;
      for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
        const int64_t ix = x.input(ox, kx);
        if (!x.has(ox, kx) || ix < 0 || ix >= s.in_w) continue;
        taps[count++] = {image + (iy * s.in_w + ix) * s.in_stride,
                         weights + (ky * s.kernel_w + kx) * layout.channels};
      }
    }
    return count;
  }
};

struct DwDeconv : DwByTaps<DwDeconvTaps> {
  static bool Supports(const ConvShape& s) {
    return s.groups == s.in_c && s.in_c == s.out_c && !TooNarrow(s);
  }
};

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
