#include "kernels/convgrad/convgrad.h"

#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// The reference. A task is the weights of one output channel, each a sum in double.
bool Supports(const ConvShape&) { return true; }
int64_t Tasks(const ConvShape& s) { return s.out_c; }
int64_t None(const ConvShape&) { return 0; }
void SumNothing(const ConvGradArgs&, int64_t, int64_t) noexcept {}

double Sum(const ConvGradArgs& args, int64_t o, int64_t ky, int64_t kx, int64_t channel) {
  const ConvShape& s = args.shape;
  double sum = 0;
  for (int64_t pixel = 0; pixel < s.pixels(); ++pixel) {
    const int64_t image = pixel / (s.out_h * s.out_w);
    const int64_t oy = pixel / s.out_w % s.out_h, ox = pixel % s.out_w;
    const int64_t iy = oy * s.stride_h - s.pad_top + ky * s.dilation_h;
    const int64_t ix = ox * s.stride_w - s.pad_left + kx * s.dilation_w;
    if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
    sum += double{args.dy[pixel * s.out_stride + o]} *
           double{args.x[((image * s.in_h + iy) * s.in_w + ix) * s.in_stride + channel]};
  }
  return sum;
}

void Run(const ConvGradArgs& args, int64_t task_begin, int64_t task_end, void*) noexcept {
  const ConvShape& s = args.shape;
  const int64_t taps = s.kernel_h * s.kernel_w;
  for (int64_t o = task_begin; o < task_end; ++o) {
    float* dw = args.dw + o * taps * s.group_in();
    const int64_t first = o / s.group_out() * s.group_in();
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t i = 0; i < s.group_in(); ++i) {
        *dw++ = static_cast<float>(Sum(args, o, tap / s.kernel_w, tap % s.kernel_w, first + i));
      }
    }
  }
}

}  // namespace

extern constexpr ConvGradKernel convgrad_f32_scalar{.supports = Supports,
                                                    .cost = nullptr,
                                                    .partial_bytes = None,
                                                    .tasks = Tasks,
                                                    .scratch_bytes = None,
                                                    .run = Run,
                                                    .sum_tasks = None,
                                                    .sum = SumNothing};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(ConvGradKernel, isa, symbol)
#include "kernels/convgrad/convgrad.inc"
#undef PARE_KERNEL

Rows<ConvGradKernel> ConvGradRows() {
  static constexpr Row<ConvGradKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/convgrad/convgrad.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<ConvGradKernel>* FindConvGrad(const Cpu& cpu, const ConvShape& shape) {
  return FindRow(ConvGradRows(), cpu, shape);
}

}  // namespace pare::kernels
