#include "compress/values.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/dataset.h"

namespace pare::compress {
namespace {

std::shared_ptr<const data::Dataset> Targets(const Dims& shape, std::vector<float> values) {
  return *data::DatasetOf({{"", Tensor::Of<float>(shape, values)}}, {});
}

TEST(ValueScore, HasTheErrorsAndThePartOfTheVarianceThatIsExplained) {
  const auto targets = Targets({4, 2}, {0, 10, 1, 10, 2, 12, 3, 12});
  ValueScore score;
  const int64_t first[] = {3, 1}, second[] = {0, 2};
  // A row more than there are samples: batches are filled up.
  ASSERT_TRUE(score.Add(*targets, first, Tensor::Of<float>({3, 2}, {3, 12, 1, 10, 99, 99})));
  ASSERT_TRUE(score.Add(*targets, second, Tensor::Of<float>({2, 2}, {0, 10, 2, 14})));
  const ValueErrors errors = score.errors();
  EXPECT_NEAR(errors.mae, 2.0 / 8, 1e-12);
  EXPECT_NEAR(errors.rmse, std::sqrt(4.0 / 8), 1e-12);
  EXPECT_NEAR(*errors.r2, 1 - 4 / (5.0 + 4.0), 1e-12);
  EXPECT_NEAR(score.r2(), *errors.r2, 1e-12);
}

TEST(ValueScore, ExplainsNothingOfTargetsThatAreAllTheSame) {
  const auto targets = Targets({2, 1}, {5, 5});
  ValueScore score;
  const int64_t both[] = {0, 1};
  ASSERT_TRUE(score.Add(*targets, both, Tensor::Of<float>({2, 1}, {5, 6})));
  EXPECT_FALSE(score.errors().r2);
  EXPECT_NEAR(score.errors().mae, 0.5, 1e-12);
  ValueScore broken;
  ASSERT_TRUE(broken.Add(*targets, both, Tensor::Of<float>({2, 1}, {NAN, 6})));
  EXPECT_LT(broken.r2(), score.r2());
}

TEST(ValueScore, RefusesOutputsWithoutARowForEachSample) {
  const auto targets = Targets({2, 1}, {5, 5});
  ValueScore score;
  const int64_t both[] = {0, 1};
  EXPECT_FALSE(score.Add(*targets, both, Tensor::Of<float>({}, {5})));
  EXPECT_FALSE(score.Add(*targets, both, Tensor::Of<float>({1, 2}, {5, 5})));
  EXPECT_FALSE(score.Add(*targets, both, Tensor::Of<int64_t>({2, 1}, {5, 5})));
  EXPECT_FALSE(score.Add(*targets, both, Tensor::Of<float>({2, 2}, {5, 5, 5, 5})));
}

}  // namespace
}  // namespace pare::compress
