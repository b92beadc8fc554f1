#include "kernels/norm/norm.h"

#include "base/function_ref.h"
#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

const int64_t kSizes[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 100, 1003};

const Row<NormKernel>& Reference() { return *(NormRows().end() - 1); }

void RunLast(int64_t tasks, FunctionRef<void(int64_t, int64_t)> run) {
  for (int64_t task = tasks - 1; task >= 0; --task) run(task, task + 1);
}

struct Operands {
  Operands(int64_t count, int64_t channels, float mean)
      : x(count, 1), scale(channels, 2), shift(channels, 3) {
    Random random(static_cast<uint32_t>(count));
    random.fill(x, mean - 2, mean + 2);
    random.fill(scale);
    random.fill(shift);
  }
  Buffer<float> x, scale, shift;
};

TEST(Norm, RowsOfAnyLength) {
  for (int64_t n : kSizes) {
    for (int form = 0; form < 4; ++form) {
      const int64_t rows = 9;
      const bool rms = form & 1, weighted = form & 2;
      Operands in(rows * n, n, form == 2 ? 1000.0f : 0.5f);
      const auto run = [&](const Row<NormKernel>& row, Buffer<float>& y, Buffer<float>& stats) {
        const RowNormArgs args{.rows = rows,
                               .n = n,
                               .eps = 1e-5f,
                               .rms = rms,
                               .x = in.x.data(),
                               .scale = weighted ? in.scale.data() : nullptr,
                               .bias = weighted ? in.shift.data() : nullptr,
                               .y = y.data(),
                               .mean = stats.data(),
                               .inverse_std = stats.data() + rows};
        RunLast(row->row_tasks(rows, n), [&](int64_t b, int64_t e) { row->rows(args, b, e); });
        EXPECT_TRUE(y.guards_hold() && stats.guards_hold());
      };
      Buffer<float> expected(rows * n), expected_stats(2 * rows);
      run(Reference(), expected, expected_stats);
      ForEachRow(NormRows(), [&](const Row<NormKernel>& row) {
        Buffer<float> y(rows * n, 1), stats(2 * rows);
        run(row, y, stats);
        SCOPED_TRACE(testing::Message() << n << " form " << form);
        // With one element the deviation is what rounding the mean leaves of it.
        ExpectNear(y.span(), expected.span(), form == 2 ? 2e-3 : 2e-5);
        if (n > 2) ExpectNear(stats.span(), expected_stats.span(), form == 2 ? 2e-3 : 2e-4);
      });
    }
  }
}

TEST(Norm, MomentsAlongAndAcross) {
  for (int64_t inner : {1, 3, 8, 16, 21, 70}) {
    for (int64_t n : {1, 9, 49, 1003}) {
      const int64_t outer = 3;
      Operands in(outer * n * inner, 1, 5);
      const auto run = [&](const Row<NormKernel>& row, Buffer<float>& mean, Buffer<float>& var) {
        const MomentsArgs args{.outer = outer,
                               .n = n,
                               .inner = inner,
                               .x = in.x.data(),
                               .mean = mean.data(),
                               .variance = var.data()};
        RunLast(row->moments_tasks(outer, n, inner),
                [&](int64_t b, int64_t e) { row->moments(args, b, e); });
        EXPECT_TRUE(mean.guards_hold() && var.guards_hold());
      };
      Buffer<float> mean(outer * inner), variance(outer * inner);
      run(Reference(), mean, variance);
      ForEachRow(NormRows(), [&](const Row<NormKernel>& row) {
        Buffer<float> m(outer * inner, 1), v(outer * inner, 1);
        run(row, m, v);
        ExpectNear(m.span(), mean.span(), 1e-5);
        ExpectNear(v.span(), variance.span(), 1e-5);
      });
    }
  }
}

TEST(Norm, AffineInBothLayouts) {
  for (int64_t channels : {1, 3, 8, 17, 40}) {
    for (int64_t pixels : {1, 5, 49, 900}) {
      for (int form = 0; form < 4; ++form) {
        const int64_t images = 2;
        Operands in(images * pixels * channels, images * channels, 0);
        const auto run = [&](const Row<NormKernel>& row, Buffer<float>& y) {
          const AffineArgs args{.images = images,
                                .pixels = pixels,
                                .channels = channels,
                                .channels_last = (form & 1) != 0,
                                .per_image = (form & 2) != 0,
                                .x = in.x.data(),
                                .scale = in.scale.data(),
                                .shift = in.shift.data(),
                                .y = y.data()};
          RunLast(row->affine_tasks(images, pixels, channels),
                  [&](int64_t b, int64_t e) { row->affine(args, b, e); });
          EXPECT_TRUE(y.guards_hold());
        };
        Buffer<float> expected(images * pixels * channels);
        run(Reference(), expected);
        ForEachRow(NormRows(), [&](const Row<NormKernel>& row) {
          Buffer<float> y(expected.size(), 1);
          run(row, y);
          ExpectNear(y.span(), expected.span(), 1e-6);
        });
      }
    }
  }
}

}  // namespace
}  // namespace pare::kernels
