#include "kernels/conv/conv.h"

#include <iterator>

#include "kernels/conv/reference.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference. Packed: bias[out_c], then the weights as [out_c, kernel_h, kernel_w, group_in].
bool Supports(const ConvShape&) { return true; }
double Cost(const ConvShape& s) { return 4.0 * s.macs(); }
int64_t TapsOf(const ConvShape& s) { return s.kernel_h * s.kernel_w * s.group_in(); }
int64_t PackedBytes(const ConvShape& s) {
  return RoundUp(s.out_c * (TapsOf(s) + 1) * int64_t{sizeof(float)}, kAlignment);
}

// A panel is an output channel.
int64_t Panels(const ConvShape& s) { return s.out_c; }
void Pack(const ConvShape& s, const ConvWeights& weights, const float* bias, int64_t panel_begin,
          int64_t panel_end, void* packed) noexcept {
  float* out = static_cast<float*>(packed);
  for (int64_t oc = panel_begin; oc < panel_end; ++oc) {
    out[oc] = bias ? bias[oc] : 0.0f;
    float* to = out + s.out_c + oc * TapsOf(s);
    for (int64_t tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
      for (int64_t i = 0; i < s.group_in(); ++i) {
        *to++ = *weights.at(oc / s.group_out(), oc % s.group_out(), tap / s.kernel_w,
                            tap % s.kernel_w, i);
      }
    }
  }
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
                                            .panels = Panels,
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
