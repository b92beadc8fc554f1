#include "kernels/reduce/reduce.h"

#include <limits>

#include "base/dtype.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

constexpr ReduceFunction kAll[] = {ReduceFunction::kSum,       ReduceFunction::kMean,
                                   ReduceFunction::kL1,        ReduceFunction::kL2,
                                   ReduceFunction::kSumSquare, ReduceFunction::kLogSum,
                                   ReduceFunction::kMax,       ReduceFunction::kMin,
                                   ReduceFunction::kProd,      ReduceFunction::kLogSumExp};

const Row<ReduceKernel>& Reference() { return *(ReduceRows().end() - 1); }

// Loops of a dense tensor, kept and reduced in turn; `last_kept` says what the innermost is.
ReduceBox BoxOf(const std::vector<int64_t>& sizes, bool last_kept) {
  ReduceBox box;
  int64_t step = 1;
  std::vector<int64_t> steps(sizes.size());
  for (size_t i = sizes.size(); i-- > 0; step *= sizes[i]) steps[i] = step;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const bool kept = ((sizes.size() - 1 - i) % 2 == 0) == last_kept;
    int& count = kept ? box.kept : box.reduced;
    (kept ? box.kept_size : box.reduced_size)[count] = sizes[i];
    (kept ? box.kept_step : box.reduced_step)[count] = steps[i];
    ++count;
  }
  return box;
}

struct Case {
  std::vector<int64_t> sizes;
  bool last_kept;
};

const Case kCases[] = {
    {{1}, true},
    {{5}, true},
    {{300, 7}, true},
    {{49, 64}, true},
    {{600, 33}, true},
    {{3, 5, 70}, true},
    {{2, 3, 4, 19}, true},
    {{4, 0}, true},
    {{1}, false},
    {{7}, false},
    {{3, 5}, false},
    {{4, 16}, false},
    {{2, 64}, false},
    {{3, 131}, false},
    {{2, 9000}, false},
    {{5, 3, 20}, false},
    {{2, 3, 4, 70}, false},
    {{3, 0}, false},
};

TEST(Reduce, RowsAreNearTheReference) {
  ForEachRow(ReduceRows(), [&](const Row<ReduceKernel>& row) {
    for (const Case& c : kCases) {
      const ReduceBox box = BoxOf(c.sizes, c.last_kept);
      Buffer<float> x(box.outputs() * box.inputs_each(), 1);
      Random random(static_cast<uint32_t>(x.size()));
      for (ReduceFunction function : kAll) {
        const bool product = function == ReduceFunction::kProd;
        random.fill(x, product ? 0.99f : 0.1f, product ? 1.01f : 1.0f);
        if (function == ReduceFunction::kMean && box.inputs_each() == 0) continue;
        Buffer<float> y(box.outputs(), 2), expected(y.size());
        const ReduceArgs all{&box, x.data(), expected.data(), 0, box.outputs()};
        Reference()->find(function)(all);
        // In pieces, the last first.
        for (int64_t end = box.outputs(); end > 0;) {
          const int64_t begin = MaxInt(0, end - 50);
          row->find(function)({&box, x.data(), y.data(), begin, end});
          end = begin;
        }
        EXPECT_TRUE(y.guards_hold());
        for (int64_t i = 0; i < y.size(); ++i) {
          ASSERT_TRUE(y[i] == expected[i] ||
                      std::fabs(y[i] - expected[i]) <= 2e-6 + 2e-6 * std::fabs(expected[i]))
              << "function " << static_cast<int>(function) << " loops " << c.sizes.size() << " at "
              << i << ": " << y[i] << " instead of " << expected[i];
        }
      }
    }
  });
}

TEST(Reduce, SpecialValues) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  ForEachRow(ReduceRows(), [&](const Row<ReduceKernel>& row) {
    for (bool columns : {false, true}) {
      const ReduceBox box = columns ? BoxOf({3, 1}, true) : BoxOf({1, 3}, false);
      const auto of = [&](ReduceFunction function, std::vector<float> x) {
        float y = 0;
        row->find(function)({&box, x.data(), &y, 0, 1});
        return y;
      };
      EXPECT_EQ(of(ReduceFunction::kMax, {1, -infinity, 2}), 2);
      EXPECT_EQ(of(ReduceFunction::kLogSumExp, {-infinity, -infinity, -infinity}), -infinity);
      EXPECT_EQ(of(ReduceFunction::kLogSumExp, {0, infinity, 0}), infinity);
      EXPECT_NEAR(of(ReduceFunction::kLogSumExp, {1000, 1000, 1000}), 1001.0986f, 1e-3);
      for (ReduceFunction function : kAll) {
        EXPECT_TRUE(std::isnan(of(function, {nan, 1, 2}))) << static_cast<int>(function);
        EXPECT_TRUE(std::isnan(of(function, {1, 2, nan}))) << static_cast<int>(function);
      }
    }
  });
}

TEST(Reduce, IntegersWrapAround) {
  const ReduceBox box = BoxOf({2}, false);
  const int32_t x[] = {INT32_MAX, 2};
  const auto of = [&](ReduceFunction function) {
    int32_t y = 0;
    FindReduce(Cpu{}, function, DType::kI32).run({&box, x, &y, 0, 1});
    return y;
  };
  EXPECT_EQ(of(ReduceFunction::kSum), INT32_MIN + 1);
  EXPECT_EQ(of(ReduceFunction::kMean), (int64_t{INT32_MAX} + 2) / 2);
  EXPECT_EQ(of(ReduceFunction::kMax), INT32_MAX);
  EXPECT_EQ(of(ReduceFunction::kMin), 2);
  EXPECT_EQ(FindReduce(Cpu{}, ReduceFunction::kSum, DType::kBool).run, nullptr);
}

}  // namespace
}  // namespace pare::kernels
