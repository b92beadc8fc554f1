#include "kernels/qdwconv/qdwconv.h"

#include "kernels/qconv/testing.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

void Check(const QConvCase& c) { CheckQConv(QDwConvRows(), c, QConvRows().end() - 1); }

QConvShape Depthwise(int64_t channels, int64_t size, int64_t kernel, int64_t stride, int64_t pad,
                     int64_t dilation = 1) {
  const int64_t out = (size + 2 * pad - (kernel - 1) * dilation - 1) / stride + 1;
  return {.in_h = size,
          .in_w = size,
          .in_c = channels,
          .out_h = out,
          .out_w = out,
          .out_c = channels,
          .kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .dilation_h = dilation,
          .dilation_w = dilation,
          .pad_top = pad,
          .pad_left = pad,
          .groups = channels};
}

TEST(QDwConv, ChannelsAroundTheBlocks) {
  for (int64_t channels : {1, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 100, 144}) {
    Check({.shape = Depthwise(channels, 6, 3, 1, 1), .gap = channels % 3, .offset = channels % 2});
    Check({.shape = Depthwise(channels, 7, 3, 2, 1), .transposed = true});
    Check({.shape = Depthwise(channels, 7, 5, 1, 2)});
  }
}

TEST(QDwConv, WidthsAroundTheUnrolling) {
  for (int64_t size = 1; size < 12; ++size) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t kernel : {1, 2, 3, 4, 5, 7}) {
        if (size + 2 * (kernel / 2) < kernel) continue;
        Check({.shape = Depthwise(70, size, kernel, stride, kernel / 2)});
      }
    }
  }
}

// Several pixels of few channels share a block.
TEST(QDwConv, FewChannelsOfWidePictures) {
  for (int64_t channels : {1, 2, 5, 8, 12, 16, 24, 32}) {
    for (int64_t size : {13, 40}) {
      Check({.shape = Depthwise(channels, size, 3, 1, 1)});
      Check({.shape = Depthwise(channels, size, 3, 1, 0), .w_zero_points = true});
      Check({.shape = Depthwise(channels, size, 3, 1, 2, 2)});
    }
  }
}

TEST(QDwConv, DilationBatchesAndUnevenWindows) {
  Check({.shape = Depthwise(66, 9, 3, 1, 2, 2)});
  QConvShape s = Depthwise(20, 8, 3, 1, 1);
  s.batch = 3;
  s.kernel_h = 1, s.kernel_w = 5, s.pad_left = 2, s.pad_top = 0;
  Check({.shape = s, .gap = 2});
  s.kernel_h = 9, s.kernel_w = 2, s.pad_top = 4;
  Check({.shape = s});
}

TEST(QDwConv, WeightsWithZeroPointsAndExtremes) {
  for (QConvValues values : {QConvValues::kAny, QConvValues::kExtreme}) {
    Check({.shape = Depthwise(67, 6, 3, 1, 1), .w_zero_points = true, .values = values});
    Check({.shape = Depthwise(67, 6, 3, 1, 1), .bias = false, .values = values});
    Check({.shape = Depthwise(67, 6, 5, 2, 2), .values = values});
  }
}

TEST(QDwConv, ManyTasks) { Check({.shape = Depthwise(96, 40, 3, 1, 1)}); }

TEST(QDwConv, FoundBeforeTheGeneralRows) {
  Cpu cpu = DetectCpu();
  const QConvShape shape = Depthwise(64, 8, 3, 1, 1);
  if (const auto* row = FindQDwConv(cpu, shape)) {
    EXPECT_EQ(FindQConv(cpu, shape), row);
  } else {
    EXPECT_STREQ(FindQConv(cpu, shape)->name, "qconv_u8s8_scalar");
  }
}

}  // namespace
}  // namespace pare::kernels
