#include "kernels/deconv/deconv.h"

#include <algorithm>
#include <iterator>

#include "kernels/conv/reference.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference. Packed: bias[out_c], then the weights as they came.
bool Supports(const ConvShape&) { return true; }
int64_t WeightCount(const ConvShape& s) { return s.in_c * s.group_out() * s.kernel_h * s.kernel_w; }
int64_t PackedBytes(const ConvShape& s) {
  return RoundUp((s.out_c + WeightCount(s)) * int64_t{sizeof(float)}, kAlignment);
}

void Pack(const ConvShape& s, const float* weights, const float* bias, void* packed) noexcept {
  float* out = static_cast<float*>(packed);
  for (int64_t c = 0; c < s.out_c; ++c) out[c] = bias ? bias[c] : 0.0f;
  std::copy_n(weights, WeightCount(s), out + s.out_c);
}

int64_t Tasks(const ConvShape& s) { return s.batch * s.out_h; }
int64_t ScratchBytes(const ConvShape&) { return 0; }

// What tap (ky, kx) adds to output channel oc from input pixel `x`.
float Dot(const ConvArgs& args, const float* x, int64_t ky, int64_t kx, int64_t oc) {
  const ConvShape& s = args.shape;
  const float* weights = static_cast<const float*>(args.packed) + s.out_c;
  const int64_t group = oc / s.group_out();
  float sum = 0;
  for (int64_t c = group * s.group_in(); c < (group + 1) * s.group_in(); ++c) {
    const int64_t filter = c * s.group_out() + oc % s.group_out();
    sum += x[c] * weights[(filter * s.kernel_h + ky) * s.kernel_w + kx];
  }
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
