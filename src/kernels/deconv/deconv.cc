#include "kernels/deconv/deconv.h"

#include <iterator>

#include "kernels/conv/reference.h"
#include "kernels/table.h"

namespace pare::kernels {

extern const ConvKernel conv_f32_scalar;

namespace {

// The reference. Packed as the reference of conv.
bool Supports(const ConvShape&) { return true; }
int64_t PackedBytes(const ConvShape& s) { return conv_f32_scalar.packed_bytes(s); }
int64_t Panels(const ConvShape& s) { return conv_f32_scalar.panels(s); }
void Pack(const ConvShape& s, const ConvWeights& weights, const float* bias, int64_t panel_begin,
          int64_t panel_end, void* packed) noexcept {
  conv_f32_scalar.pack(s, weights, bias, panel_begin, panel_end, packed);
}

int64_t Tasks(const ConvShape& s) { return s.batch * s.out_h; }
int64_t ScratchBytes(const ConvShape&) { return 0; }

// What tap (ky, kx) adds to output channel oc from input pixel `x`.
float Dot(const ConvArgs& args, const float* x, int64_t ky, int64_t kx, int64_t oc) {
  const ConvShape& s = args.shape;
  const float* weights = static_cast<const float*>(args.packed) + s.out_c +
                         ((oc * s.kernel_h + ky) * s.kernel_w + kx) * s.group_in();
  x += oc / s.group_out() * s.group_in();
  float sum = 0;
  for (int64_t c = 0; c < s.group_in(); ++c) sum += x[c] * weights[c];
  return sum;
}

float Sum(const ConvArgs& args, int64_t image, int64_t oy, int64_t ox, int64_t oc) {
  const ConvShape& s = args.shape;
  float sum = static_cast<const float*>(args.packed)[oc];
  for (int64_t iy = 0; iy < s.in_h; ++iy) {
    for (int64_t ix = 0; ix < s.in_w; ++ix) {
      const int64_t y = oy - (iy * s.stride_h - s.pad_top), x = ox - (ix * s.stride_w - s.pad_left);
      if (y % s.dilation_h != 0 || x % s.dilation_w != 0) continue;
      const int64_t ky = y / s.dilation_h, kx = x / s.dilation_w;
      if (ky < 0 || ky >= s.kernel_h || kx < 0 || kx >= s.kernel_w) continue;
      sum += Dot(args, args.x + ((image * s.in_h + iy) * s.in_w + ix) * s.in_stride, ky, kx, oc);
    }
  }
  return sum;
}

}  // namespace

extern constexpr ConvKernel deconv_f32_scalar{.supports = Supports,
                                              .cost = nullptr,
                                              .packed_bytes = PackedBytes,
                                              .panels = Panels,
                                              .pack = Pack,
                                              .tasks = Tasks,
                                              .scratch_bytes = ScratchBytes,
                                              .run = RunReference<Sum>};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(ConvKernel, isa, symbol)
#include "kernels/deconv/deconv.inc"
#undef PARE_KERNEL

Rows<ConvKernel> DeconvRows() {
  static constexpr Row<ConvKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/deconv/deconv.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<ConvKernel>* FindDeconv(const Cpu& cpu, const ConvShape& shape) {
  return FindRow(DeconvRows(), cpu, shape);
}

}  // namespace pare::kernels
