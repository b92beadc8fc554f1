#include "kernels/dwconv/dwconv.h"

#include "kernels/conv/testing.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

void Check(const ConvCase& c) { CheckConv(DwConvRows(), c); }

ConvShape Depthwise(int64_t size, int64_t channels, int64_t kernel, int64_t stride = 1,
                    int64_t dilation = 1) {
  return Square(size, channels, channels, kernel, stride, channels, dilation);
}

TEST(DwConv, KernelsStridesAndChannels) {
  for (int64_t kernel : {1, 2, 3, 4, 5, 7}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t channels : {1, 3, 4, 8, 15, 16, 17, 40, 67}) {
        Check({.shape = Depthwise(11, channels, kernel, stride)});
      }
    }
  }
}

TEST(DwConv, WeightsTurnedRound) {
  Check({.shape = Depthwise(6, 37, 3), .exchanged = true});
  Check({.shape = Depthwise(6, 37, 4, 2), .exchanged = true});
}

TEST(DwConv, WidthsAroundTheStep) {
  for (int64_t size : {1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 19, 30}) {
    for (int64_t stride : {1, 2}) {
      Check({.shape = Depthwise(size, 20, 3, stride)});
      Check({.shape = Depthwise(size, 20, 5, stride)});
    }
  }
}

TEST(DwConv, DilationAndMixedStrides) {
  for (int64_t dilation : {1, 2, 3}) {
    ConvShape s = Depthwise(10, 19, 3, 1, dilation);
    Check({.shape = s});
    s.dilation_w = 1, s.pad_left = 1;  // dilated downwards only
    Check({.shape = s});
  }
  ConvShape s = Depthwise(12, 18, 3, 2);
  s.stride_h = 1, s.out_h = s.in_h;
  Check({.shape = s});
  s = Depthwise(30, 18, 5);
  s.in_h = s.out_h = s.kernel_h = 1, s.pad_top = 0;
  Check({.shape = s});
}

TEST(DwConv, StridesBetweenPixelsBatchAndMisalignment) {
  for (int64_t kernel : {2, 3, 5}) {
    for (int64_t offset : {0, 1, 3}) {
      ConvShape s = Depthwise(9, 37, kernel);
      s.batch = 3;
      s.in_stride = 41, s.out_stride = 43, s.residual_stride = 38;
      Check({.shape = s, .offset = offset, .bias = false, .residual = true});
      Check({.shape = s, .offset = offset, .bias = true, .residual = false});
    }
  }
}

TEST(DwConv, Activations) {
  for (const Activation& activation : AllActivations()) {
    Check({.shape = Depthwise(8, 21, 3), .residual = true, .activation = activation});
    Check({.shape = Depthwise(8, 21, 4), .residual = true, .activation = activation});
  }
}

TEST(DwConv, PaddingBeyondTheImage) {
  ConvShape s = Depthwise(2, 5, 5);
  s.pad_top = s.pad_left = 4, s.out_h = s.in_h + 4, s.out_w = s.in_w + 4;
  Check({.shape = s});
  s = Depthwise(4, 5, 3, 2);
  s.pad_top = s.pad_left = 0;
  Check({.shape = s});
}

TEST(DwConv, FindPrefersTheSpecialRows) {
  Cpu cpu;
  EXPECT_STREQ(FindDwConv(cpu, Depthwise(8, 8, 3))->name, "dwconv_f32_scalar");
#if defined(__x86_64__)
  cpu.isas |= 1u << static_cast<int>(Isa::kAvx2);
  EXPECT_STREQ(FindDwConv(cpu, Depthwise(8, 8, 3))->name, "dwconv_f32_w3_avx2");
  EXPECT_STREQ(FindDwConv(cpu, Depthwise(8, 8, 5, 2))->name, "dwconv_f32_w5_avx2");
  EXPECT_STREQ(FindDwConv(cpu, Depthwise(8, 8, 7))->name, "dwconv_f32_any_avx2");
#endif
}

}  // namespace
}  // namespace pare::kernels
