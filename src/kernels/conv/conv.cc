#include "kernels/conv/conv.h"

#include <algorithm>
#include <iterator>

#include "kernels/conv/reference.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference. Packed: bias[out_c], then the weights as they came.
bool Supports(const ConvShape&) { return true; }
double Cost(const ConvShape& s) { return 4.0 * s.macs(); }
int64_t TapsOf(const ConvShape& s) { return s.kernel_h * s.kernel_w * s.group_in(); }
int64_t PackedBytes(const ConvShape& s) {
  return RoundUp(s.out_c * (TapsOf(s) + 1) * int64_t{sizeof(float)}, kAlignment);
}

void Pack(const ConvShape& s, const float* weights, const float* bias, void* packed) noexcept {
  float* out = static_cast<float*>(packed);
  if (bias) {
    std::copy_n(bias, s.out_c, out);
  } else {
    std::fill_n(out, s.out_c, 0.0f);
  }
  std::copy_n(weights, s.out_c * TapsOf(s), out + s.out_c);
}

int64_t Tasks(const ConvShape& s) { return s.batch * s.out_h; }
int64_t ScratchBytes(const ConvShape&) { return 0; }

float Sum(const ConvArgs& args, int64_t image, int64_t oy, int64_t ox, int64_t oc) {
  const ConvShape& s = args.shape;
  const float* bias = static_cast<const float*>(args.packed);
  const float* w = bias + s.out_c + oc * TapsOf(s);
  const float* x = args.x + oc / s.group_out() * s.group_in();
  float sum = bias[oc];
  for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
    for (int64_t kx = 0; kx < s.kernel_w; ++kx, w += s.group_in()) {
      const int64_t iy = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
      const int64_t ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
      if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
      const float* pixel = x + ((image * s.in_h + iy) * s.in_w + ix) * s.in_stride;
      for (int64_t c = 0; c < s.group_in(); ++c) sum += pixel[c] * w[c];
    }
  }
  return sum;
}

}  // namespace

extern constexpr ConvKernel conv_f32_scalar{.supports = Supports,
                                            .cost = Cost,
                                            .packed_bytes = PackedBytes,
                                            .pack = Pack,
                                            .tasks = Tasks,
                                            .scratch_bytes = ScratchBytes,
                                            .run = RunReference<Sum>};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(ConvKernel, isa, symbol)
#include "kernels/conv/conv.inc"
#undef PARE_KERNEL

Rows<ConvKernel> ConvRows() {
  static constexpr Row<ConvKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/conv/conv.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<ConvKernel>* FindConv(const Cpu& cpu, const ConvShape& shape) {
  return FindRow(ConvRows(), cpu, shape);
}

}  // namespace pare::kernels
