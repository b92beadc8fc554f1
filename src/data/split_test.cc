#include "data/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace pare::data {
namespace {

std::shared_ptr<const Dataset> Numbers(int64_t size, std::vector<int64_t> labels = {}) {
  return DatasetOf({{"", Tensor::Zeros(DType::kF32, {size, 1}).value()}}, std::move(labels))
      .value();
}

TEST(Split, SizesAndWords) {
  struct Case {
    int64_t size, calibration, verification;  // asked for: 300 and 1000
    const char* note;
  };
  for (const Case& c :
       {Case{5000, 300, 1000, ""}, Case{1000, 300, 700, ""}, Case{400, 300, 100, ""},
        Case{310, 210, 100, "only 310 samples: 210 calibrate"},
        Case{100, 50, 50, "with 50 samples to verify"}, Case{3, 2, 1, "ranges from so few"},
        Case{1, 1, 1, "only one sample"}}) {
    const auto split = SplitDataset(*Numbers(c.size), {});
    ASSERT_TRUE(split);
    EXPECT_EQ(static_cast<int64_t>(split->calibration.size()), c.calibration) << c.size;
    EXPECT_EQ(static_cast<int64_t>(split->verification.size()), c.verification) << c.size;
    EXPECT_EQ(split->note.empty(), *c.note == 0) << split->note;
    EXPECT_NE(split->note.find(c.note), std::string::npos) << split->note;
    std::set<int64_t> all(split->calibration.begin(), split->calibration.end());
    all.insert(split->verification.begin(), split->verification.end());
    const int64_t distinct = c.size == 1 ? 1 : c.calibration + c.verification;
    EXPECT_EQ(static_cast<int64_t>(all.size()), distinct) << c.size;
    EXPECT_TRUE(std::is_sorted(split->calibration.begin(), split->calibration.end()));
    EXPECT_LT(*all.rbegin(), c.size);
  }
}

TEST(Split, FairToClassesOfAnyOrder) {
  std::vector<int64_t> labels;  // 90 % of class 0, in the order of the file
  for (int i = 0; i < 1000; ++i) labels.push_back(i < 900 ? 0 : 1);
  const auto data = Numbers(1000, labels);
  SplitOptions options;
  options.calibration = 100;
  options.verification = 200;
  const Split split = SplitDataset(*data, options).value();
  const auto ones = [&](const std::vector<int64_t>& indices) {
    return std::count_if(indices.begin(), indices.end(), [&](int64_t i) { return labels[i] == 1; });
  };
  EXPECT_EQ(ones(split.calibration), 10);
  EXPECT_NEAR(static_cast<double>(ones(split.verification)), 20, 1);
}

TEST(Split, TheSeedDecides) {
  const auto data = Numbers(1000);
  SplitOptions options;
  const Split first = SplitDataset(*data, options).value();
  EXPECT_EQ(SplitDataset(*data, options)->calibration, first.calibration);
  options.seed = 1;
  EXPECT_NE(SplitDataset(*data, options)->calibration, first.calibration);
  options.limit = 50;
  const Split limited = SplitDataset(*data, options).value();
  EXPECT_GT(limited.calibration.back(), 500);  // evenly over all, not the first ones
  EXPECT_EQ(limited.calibration.size() + limited.verification.size(), 50u);
  options.calibration = 0;
  EXPECT_FALSE(SplitDataset(*data, options));
}

TEST(Draw, AllOrSome) {
  const auto data = Numbers(10);
  EXPECT_EQ(DrawSamples(*data, 0, 7).size(), 10u);
  EXPECT_EQ(DrawSamples(*data, 99, 7).size(), 10u);
  const auto some = DrawSamples(*data, 4, 7);
  EXPECT_EQ(std::set<int64_t>(some.begin(), some.end()).size(), 4u);
}

}  // namespace
}  // namespace pare::data
