#include "kernels/pool/pool.h"

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

void RunRow(const Row<PoolKernel>& row, const PoolShape& s, const float* x, float* y) {
  for (int64_t task = s.tasks() - 1; task >= 0; --task) {
    row->run({.shape = s, .x = x, .y = y}, task, task + 1);
  }
}

void Check(PoolShape s, int64_t gap) {
  s.in_stride = s.channels + gap;
  s.out_stride = s.channels + 2 * gap;
  const int64_t in = s.batch * s.in_h * s.in_w * s.in_stride;
  const int64_t out = s.batch * s.out_h * s.out_w * s.out_stride;
  Buffer<float> x(in, gap), expected(out, 0, 55.0f);
  Random random(static_cast<uint32_t>(in));
  random.fill(x);
  RunRow(*(PoolRows().end() - 1), s, x.data(), expected.data());
  ForEachRow(PoolRows(), [&](const Row<PoolKernel>& row) {
    Buffer<float> actual(out, gap, 55.0f);
    RunRow(row, s, x.data(), actual.data());
    EXPECT_TRUE(actual.guards_hold());
    ExpectNear(actual.span(), expected.span(), s.max ? 0 : 1e-5);
  });
}

TEST(Pool, ShapesAndChannelCounts) {
  for (bool max : {false, true}) {
    for (int64_t c : {1, 3, 8, 16, 17, 31, 64, 67, 130}) {
      const int64_t gap = c % 2;
      PoolShape s{.batch = 2, .channels = c, .in_h = 7, .in_w = 6, .max = max};
      s.kernel_h = s.kernel_w = 3, s.stride_h = s.stride_w = 2;
      s.pad_top = s.pad_left = 1, s.out_h = 4, s.out_w = 3;
      Check(s, gap);
      s.count_padding = true;
      s.pad_bottom = 1;
      Check(s, gap);
      s.dilation_h = 2, s.out_h = 2;
      Check(s, gap);
      Check({.batch = 2,
             .channels = c,
             .in_h = 7,
             .in_w = 7,
             .kernel_h = 7,
             .kernel_w = 7,
             .max = max},
            gap);
    }
  }
  Check({.channels = 1280, .in_h = 20, .in_w = 20, .kernel_h = 20, .kernel_w = 20}, 0);
}

TEST(Pool, ReferenceCountsWhatItShould) {
  const float x[] = {1, 2, 3};
  PoolShape s{.in_w = 3, .out_w = 3, .kernel_w = 2, .stride_w = 2, .pad_left = 1, .pad_right = 1};
  float y[3];
  RunRow(*(PoolRows().end() - 1), s, x, y);
  EXPECT_EQ(std::vector<float>(y, y + 3), (std::vector<float>{1, 2.5f, 0}));
  s.count_padding = true;
  RunRow(*(PoolRows().end() - 1), s, x, y);
  EXPECT_EQ(std::vector<float>(y, y + 3), (std::vector<float>{0.5f, 2.5f, 0}));
}

}  // namespace
}  // namespace pare::kernels
