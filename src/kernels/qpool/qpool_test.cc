#include "kernels/qpool/qpool.h"

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

void Check(QPoolShape s, bool count_padding, int64_t gap = 0, int64_t offset = 0) {
  if (gap != 0) s.in_stride = s.channels + gap, s.out_stride = s.channels + gap + 1;
  Random random(static_cast<uint32_t>(s.channels + s.in_h));
  Buffer<uint8_t> x(s.batch * s.in_h * s.in_w * s.x_stride(), offset);
  for (int64_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(random.integer(0, 255));
  for (const QPoolRun QPoolKernel::* run : {&QPoolKernel::max, &QPoolKernel::avg}) {
    const auto result = [&](const Row<QPoolKernel>& row) {
      Buffer<uint8_t> y(s.batch * s.out_h * s.out_w * s.y_stride(), offset, 0x77);
      const QPoolArgs args{.shape = s,
                           .x = x.data(),
                           .y = y.data(),
                           .count_padding = count_padding,
                           .x_zero_point = 120,
                           .y_zero_point = 99,
                           .scale = 1.9f,
                           .lo = 4,
                           .hi = 240};
      for (int64_t task = s.tasks() - 1; task >= 0; --task) {
        (row.functions->*run)(args, task, task + 1);
      }
      EXPECT_TRUE(y.guards_hold());
      return std::vector<uint8_t>(y.data(), y.data() + y.size());
    };
    const std::vector<uint8_t> expected = result(QPoolRows().end()[-1]);
    ForEachRow(QPoolRows(), [&](const Row<QPoolKernel>& row) {
      EXPECT_EQ(result(row), expected) << "channels " << s.channels << " kernel " << s.kernel_h;
    });
  }
}

TEST(QPool, ChannelsAroundTheVectors) {
  for (int64_t channels : {1, 3, 4, 7, 8, 9, 16, 17, 31, 33, 63, 64, 65, 130}) {
    Check({.channels = channels,
           .in_h = 5,
           .in_w = 4,
           .out_h = 3,
           .out_w = 2,
           .kernel_h = 3,
           .kernel_w = 3},
          false, channels % 3, channels % 2);
  }
}

TEST(QPool, WindowsOverTheEdge) {
  for (bool count_padding : {false, true}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t dilation : {1, 2}) {
        const int64_t out = (9 + 2 - 2 * dilation - 1) / stride + 1;
        Check({.batch = 2,
               .channels = 20,
               .in_h = 9,
               .in_w = 9,
               .out_h = out,
               .out_w = out,
               .kernel_h = 3,
               .kernel_w = 3,
               .stride_h = stride,
               .stride_w = stride,
               .dilation_h = dilation,
               .dilation_w = dilation,
               .pad_top = 1,
               .pad_left = 1},
              count_padding);
      }
    }
  }
}

TEST(QPool, Global) {
  Check({.batch = 2, .channels = 37, .in_h = 7, .in_w = 6, .kernel_h = 7, .kernel_w = 6}, false);
}

TEST(QPool, ReferenceAverages) {
  const uint8_t x[] = {10, 20, 30, 41};
  uint8_t y = 0;
  const QPoolArgs args{.shape = {.in_h = 2, .in_w = 2, .kernel_h = 2, .kernel_w = 2},
                       .x = x,
                       .y = &y,
                       .x_zero_point = 5,
                       .y_zero_point = 50,
                       .scale = 2.0f};
  QPoolRows().end()[-1]->avg(args, 0, 1);
  EXPECT_EQ(y, 90);  // (101 - 20) · 2 / 4 = 40.5, to even
  QPoolRows().end()[-1]->max(args, 0, 1);
  EXPECT_EQ(y, 41);
}

}  // namespace
}  // namespace pare::kernels
