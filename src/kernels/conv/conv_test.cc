#include "kernels/conv/conv.h"

#include "kernels/conv/testing.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

void Check(const ConvCase& c) { CheckConv(ConvRows(), c); }

TEST(Conv, ReferenceIsTheSum) {
  // A line of 3 pixels, 3 taps, padding 1.
  ConvShape s;
  s.in_w = s.out_w = 3, s.kernel_w = 3, s.pad_left = 1;
  const ConvCase c{.shape = s};
  ConvOperands in(c);
  for (int i = 0; i < 3; ++i)
    in.x[i] = static_cast<float>(i + 1), in.weights[i] = static_cast<float>(i);
  in.bias[0] = 10;
  Buffer<float> out(3);
  RunConvRow(*(ConvRows().end() - 1), c, in, out);
  ExpectNear(out.span(), std::vector<float>{15, 18, 13}, 0);
}

TEST(Conv, KernelsStridesAndChannels) {
  for (int64_t kernel : {1, 2, 3, 5, 7}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t in_c : {1, 3, 16, 33}) {
        for (int64_t out_c : {1, 16, 31, 40})
          Check({.shape = Square(9, in_c, out_c, kernel, stride)});
      }
    }
  }
}

TEST(Conv, GroupsAndDilation) {
  for (int64_t groups : {1, 2, 4}) {
    for (int64_t dilation : {1, 2, 3}) {
      Check({.shape = Square(10, 8, 12, 3, 1, groups, dilation)});
      Check({.shape = Square(10, 64, 136, 3, 2, groups, dilation)});
    }
  }
}

TEST(Conv, StridesBetweenPixelsBatchAndMisalignment) {
  for (int64_t kernel : {1, 3}) {
    for (int64_t offset : {0, 1, 3}) {
      ConvShape s = Square(7, 12, 20, kernel);
      s.batch = 3;
      s.in_stride = 17, s.out_stride = 27, s.residual_stride = 21;
      Check({.shape = s, .offset = offset, .bias = false, .residual = true});
      Check({.shape = s, .offset = offset, .bias = true, .residual = false});
    }
  }
}

TEST(Conv, OneDimension) {
  ConvShape s = Square(40, 3, 18, 5);
  s.in_h = s.out_h = s.kernel_h = 1, s.pad_top = 0;
  Check({.shape = s});
}

TEST(Conv, AsymmetricPadding) {
  ConvShape s = Square(8, 4, 8, 3, 2);
  s.pad_top = s.pad_left = 0;
  Check({.shape = s});
  s.pad_top = 2, s.pad_left = 1;
  Check({.shape = s});
}

TEST(Conv, Activations) {
  for (const Activation& activation : AllActivations()) {
    Check({.shape = Square(6, 5, 21, 3), .residual = true, .activation = activation});
  }
}

TEST(Conv, ThreeByThree) {
  for (int64_t size : {1, 4, 5, 7, 14}) {
    for (int64_t channels : {4, 7, 11, 16, 37, 72}) {
      Check({.shape = Square(size, channels, channels + 5, 3), .residual = size == 5});
    }
  }
  ConvShape s = Square(9, 64, 70, 3);
  s.batch = 2, s.pad_top = 0, s.pad_left = 2, s.out_h -= 2, s.out_w += 2;
  s.in_stride = 67, s.out_stride = 73, s.residual_stride = 71;
  Check(
      {.shape = s, .offset = 1, .residual = true, .activation = {.kind = Activation::Kind::kSilu}});
}

TEST(Conv, OrdersOfWeights) {
  for (const ConvShape& s :
       {Square(6, 24, 40, 3, 2, 4), Square(5, 70, 67, 3), Square(4, 9, 20, 1)}) {
    for (TapOrder order : {TapOrder::kFirst, TapOrder::kLast}) {
      for (bool exchanged : {false, true}) {
        Check({.shape = s, .order = order, .exchanged = exchanged});
      }
    }
  }
}

TEST(Conv, NothingToDo) {
  ConvShape s = Square(4, 3, 5, 3);
  s.batch = 0;
  Check({.shape = s});
}

}  // namespace
}  // namespace pare::kernels
