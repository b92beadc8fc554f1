#include "kernels/deconv/deconv.h"

#include "kernels/conv/testing.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

void Check(const ConvCase& c) { CheckConv(DeconvRows(), c); }

ConvShape Up(int64_t size, int64_t in_c, int64_t out_c, int64_t kernel, int64_t stride,
             int64_t groups = 1, int64_t dilation = 1, int64_t pad = 0) {
  ConvShape s = Square(size, in_c, out_c, kernel, 1, groups, dilation);
  s.stride_h = s.stride_w = stride;
  s.pad_top = s.pad_left = pad;
  s.out_h = (s.in_h - 1) * stride + (kernel - 1) * dilation + 1 - 2 * pad;
  s.out_w = (s.in_w - 1) * stride + (kernel - 1) * dilation + 1 - 2 * pad;
  return s;
}

TEST(Deconv, ReferenceScattersPixels) {
  // Two pixels, three taps, stride 2: the outputs overlap in one place.
  ConvShape s;
  s.in_w = 2, s.out_w = 5, s.kernel_w = 3, s.stride_w = 2;
  const ConvCase c{.shape = s, .bias = false};
  ConvOperands in(c);
  in.x[0] = 1, in.x[1] = 10;
  for (int i = 0; i < 3; ++i) in.weights[i] = static_cast<float>(i + 1);
  Buffer<float> out(5);
  RunConvRow(*(DeconvRows().end() - 1), c, in, out);
  ExpectNear(out.span(), std::vector<float>{1, 2, 13, 20, 30}, 0);
}

TEST(Deconv, KernelsStridesAndChannels) {
  for (int64_t kernel : {1, 2, 3, 4}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t in_c : {1, 5, 16}) {
        for (int64_t out_c : {1, 16, 37}) Check({.shape = Up(5, in_c, out_c, kernel, stride)});
      }
    }
  }
}

TEST(Deconv, GroupsDilationAndPadding) {
  for (int64_t groups : {1, 2, 4}) {
    for (int64_t dilation : {1, 2, 3}) {
      for (int64_t pad : {0, 1}) Check({.shape = Up(5, 8, 12, 3, 2, groups, dilation, pad)});
    }
  }
}

TEST(Deconv, Depthwise) {
  for (int64_t kernel : {1, 2, 3, 5}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t channels : {4, 16, 17, 70}) {
        Check({.shape = Up(5, channels, channels, kernel, stride, channels, stride, kernel / 2)});
      }
    }
  }
}

TEST(Deconv, OrdersOfWeights) {
  for (TapOrder order : {TapOrder::kFirst, TapOrder::kLast}) {
    for (bool exchanged : {false, true}) {
      Check({.shape = Up(5, 24, 40, 3, 2, 4), .order = order, .exchanged = exchanged});
    }
  }
}

TEST(Deconv, StridesBetweenPixelsBatchAndActivations) {
  ConvShape s = Up(6, 12, 20, 4, 2, 1, 1, 1);
  s.batch = 2;
  s.in_stride = 17, s.out_stride = 27, s.residual_stride = 21;
  for (const Activation& activation : AllActivations()) {
    Check({.shape = s, .offset = 1, .residual = true, .activation = activation});
  }
}

}  // namespace
}  // namespace pare::kernels
