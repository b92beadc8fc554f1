#include "kernels/resize/resize.h"

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

TEST(Resize, RowsAgreeWithTheReference) {
  for (int64_t inner : {1, 2, 7, 8, 16, 17, 33, 200}) {
    for (int64_t taps : {1, 2, 4}) {
      const ResizeShape s{.outer = 3, .in = 9, .out = 14, .inner = inner, .taps = taps};
      Buffer<float> x(s.outer * s.in * inner, 1), weight(s.out * taps);
      Buffer<int32_t> index(s.out * taps);
      Random random(static_cast<uint32_t>(inner * taps));
      random.fill(x);
      random.fill(weight);
      for (int64_t i = 0; i < index.size(); ++i) index[i] = random.integer(0, 8);
      index[5 * taps] = -1;
      const auto run = [&](const Row<ResizeKernel>& row, Buffer<float>& y) {
        for (int64_t task = s.tasks() - 1; task >= 0; --task) {
          row->run({.shape = s,
                    .index = index.data(),
                    .weight = weight.data(),
                    .outside = 7,
                    .x = x.data(),
                    .y = y.data()},
                   task, task + 1);
        }
        EXPECT_TRUE(y.guards_hold());
      };
      Buffer<float> expected(s.outer * s.out * inner);
      run(*(ResizeRows().end() - 1), expected);
      EXPECT_EQ(expected[5 * inner], 7);
      ForEachRow(ResizeRows(), [&](const Row<ResizeKernel>& row) {
        if (!row->supports(s)) return;
        Buffer<float> y(expected.size(), 1);
        run(row, y);
        ExpectNear(y.span(), expected.span(), 1e-6);
      });
    }
  }
}

}  // namespace
}  // namespace pare::kernels
