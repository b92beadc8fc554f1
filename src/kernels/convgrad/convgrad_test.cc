#include "kernels/convgrad/convgrad.h"

#include <cmath>

#include "kernels/conv/testing.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

struct Operands {
  Operands(const ConvShape& s, int64_t offset)
      : x(s.batch * s.in_h * s.in_w * s.in_stride, offset), dy(s.pixels() * s.out_stride, offset) {
    Random random(static_cast<uint32_t>(x.size() + dy.size()));
    random.fill(x);
    random.fill(dy);
  }
  Buffer<float> x, dy;
};

// Runs tasks one by one, the last first: they must not depend on each other.
void RunRow(const Row<ConvGradKernel>& row, const ConvShape& s, const Operands& in,
            Buffer<float>& dw) {
  Bytes partials(row->partial_bytes(s)), scratch(row->scratch_bytes(s));
  const ConvGradArgs args{.shape = s,
                          .x = in.x.data(),
                          .dy = in.dy.data(),
                          .dw = dw.data(),
                          .partials = static_cast<float*>(partials.data())};
  for (int64_t task = row->tasks(s) - 1; task >= 0; --task) {
    row->run(args, task, task + 1, scratch.data());
  }
  for (int64_t task = row->sum_tasks(s) - 1; task >= 0; --task) row->sum(args, task, task + 1);
  EXPECT_TRUE(partials.guards_hold() && scratch.guards_hold() && dw.guards_hold());
}

void Check(const ConvShape& s, int64_t offset = 0) {
  const Operands in(s, offset);
  const int64_t count = s.out_c * s.kernel_h * s.kernel_w * s.group_in();
  Buffer<float> expected(count, 0, 77.0f);
  RunRow(*(ConvGradRows().end() - 1), s, in, expected);
  ForEachRow(ConvGradRows(), [&](const Row<ConvGradKernel>& row) {
    if (!row->supports(s)) return;
    SCOPED_TRACE(testing::Message() << ConvCase{.shape = s});
    Buffer<float> actual(count, offset, 77.0f);
    RunRow(row, s, in, actual);
    ExpectNear(actual.span(), expected.span(),
               8e-6 * std::sqrt(static_cast<double>(s.pixels())) + 1e-6);
  });
}

ConvShape Depthwise(int64_t size, int64_t channels, int64_t kernel, int64_t stride = 1,
                    int64_t dilation = 1) {
  return Square(size, channels, channels, kernel, stride, channels, dilation);
}

TEST(ConvGrad, ReferenceIsTheSum) {
  // A line of 3 pixels, 3 taps, padding 1: what each tap read, times what it wrote to.
  ConvShape s;
  s.in_w = s.out_w = 3, s.kernel_w = 3, s.pad_left = 1;
  Operands in(s, 0);
  for (int i = 0; i < 3; ++i) in.x[i] = static_cast<float>(i + 1);
  in.dy[0] = 1, in.dy[1] = 10, in.dy[2] = 100;
  Buffer<float> dw(3);
  RunRow(*(ConvGradRows().end() - 1), s, in, dw);
  ExpectNear(dw.span(), std::vector<float>{210, 321, 32}, 0);
}

TEST(ConvGrad, KernelsStridesAndChannels) {
  for (int64_t kernel : {1, 2, 3, 5}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t in_c : {1, 3, 16, 33}) {
        for (int64_t out_c : {1, 13, 40}) Check(Square(9, in_c, out_c, kernel, stride));
      }
    }
  }
}

TEST(ConvGrad, GroupsAndDilation) {
  for (int64_t groups : {1, 2, 4}) {
    for (int64_t dilation : {1, 2, 3}) {
      Check(Square(10, 8, 12, 3, 1, groups, dilation));
      Check(Square(10, 64, 136, 3, 2, groups, dilation));
    }
  }
}

TEST(ConvGrad, StridesBetweenPixelsBatchAndMisalignment) {
  for (int64_t kernel : {1, 3}) {
    for (int64_t offset : {0, 1, 3}) {
      ConvShape s = Square(7, 12, 20, kernel);
      s.batch = 3;
      s.in_stride = 17, s.out_stride = 27;
      Check(s, offset);
    }
  }
}

TEST(ConvGrad, PaddingOnOneSideOrNone) {
  for (int64_t kernel : {2, 3, 7}) {
    for (int64_t pad : {0, 1, 5}) {
      ConvShape s = Square(8, 4, 8, kernel, 2);
      s.pad_top = pad, s.pad_left = 5 - pad;
      Check(s);
    }
  }
}

TEST(ConvGrad, OneDimension) {
  ConvShape s = Square(40, 3, 18, 5);
  s.in_h = s.out_h = s.kernel_h = 1, s.pad_top = 0;
  Check(s);
}

TEST(ConvGrad, PixelsInParts) {
  ConvShape s = Square(30, 24, 40, 3);
  s.batch = 3;
  Check(s);
  s = Depthwise(30, 72, 3);
  s.batch = 4;
  Check(s);
  s = Depthwise(31, 24, 5, 2);
  s.batch = 4;
  Check(s);
}

TEST(ConvGrad, BlocksOfManyWeights) {
  Check(Square(3, 300, 290, 3));
  Check(Square(4, 64, 20, 7, 1, 4));
}

TEST(ConvGrad, ProductsOfMatrices) {
  for (int64_t rows : {1, 64, 700}) {
    for (int64_t columns : {1, 10, 100}) {
      ConvShape s;
      s.in_w = s.out_w = rows;
      s.in_c = s.in_stride = 130, s.out_c = s.out_stride = columns;
      Check(s);
    }
  }
}

TEST(ConvGrad, Depthwise) {
  for (int64_t kernel : {1, 2, 3, 5}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t channels : {1, 4, 15, 16, 17, 40, 67})
        Check(Depthwise(9, channels, kernel, stride));
    }
  }
  for (int64_t size : {1, 2, 3, 4, 5, 6}) Check(Depthwise(size, 20, 3), 1);
}

TEST(ConvGrad, DepthwiseDilationStridesAndPixels) {
  ConvShape s = Depthwise(10, 19, 3, 1, 2);
  s.in_stride = 23, s.out_stride = 31, s.batch = 2;
  Check(s);
  s.dilation_w = 1, s.pad_left = 1;  // dilated downwards only
  Check(s);
}

TEST(ConvGrad, ThreeByThreeWithManyChannels) {
  for (int64_t size : {1, 4, 5, 7, 14}) {
    for (int64_t channels : {16, 33, 67, 130}) Check(Square(size, channels, 64 + size, 3));
  }
  ConvShape s = Square(9, 40, 70, 3);
  s.batch = 2, s.pad_top = 0, s.pad_left = 2, s.out_h -= 2, s.out_w += 2;
  s.in_stride = 43, s.out_stride = 73;
  Check(s, 1);
  s = Square(30, 33, 35, 3);
  s.batch = 6;
  Check(s);
}

TEST(ConvGrad, NothingToSumIsZero) {
  ConvShape s = Square(4, 3, 5, 3);
  s.batch = 0;
  Check(s);
  s = Depthwise(4, 5, 3);
  s.batch = 0;
  Check(s);
  s = Square(4, 40, 40, 3);
  s.batch = 0;
  Check(s);
}

}  // namespace
}  // namespace pare::kernels
