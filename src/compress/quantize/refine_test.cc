// The descent finds the factor that a known error has its minimum at, and leaves alone what gains
// nothing.
#include "compress/quantize/refine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "graph/text.h"
#include "passes/pipeline.h"

namespace pare::compress {
namespace {

class RefineTest : public ::testing::Test {
 protected:
  RefineTest() {
    calibration_.graph = graph::Parse(R"(
input x: f32[1,2,4,4]
const w0: f32[2,2,1,1] = random(1, -1, 1)
const w1: f32[2,2,1,1] = random(2, -1, 1)
a = Conv(x, w0)
y = Conv(a, w1)
output y
)")
                             .value();
    EXPECT_TRUE(passes::Simplify(calibration_.graph));
    for (const char* name : {"x", "a", "y"}) {
      TensorStatistics& statistics = calibration_.statistics[name];
      std::vector<float> values;
      for (int i = 0; i < 20000; ++i) values.push_back(1e-5f * static_cast<float>(i - 10000));
      // A few large ones, that may be cut off.
      values.insert(values.end(), {-1, 1, 0.5f});
      statistics.histogram.Add(values, values.size());
      statistics.channel_sum = {0, 0};
      statistics.channel_square = {1, 1};
      statistics.channel_max = {1, 1};
      statistics.per_channel = 3;
    }
  }
  // Descends on an error that is least where the range of `value` has the factor `best`.
  float FactorFor(const std::string& value, float best) {
    const Built built = Build(calibration_, {}).value();
    const auto error_of = [&](const Variant& variant) {
      const auto at = variant.range_factors.find(value);
      const float factor = at == variant.range_factors.end() ? 1.0f : at->second;
      return 1.0 + std::fabs(std::log(factor / best));
    };
    const auto best_of = [&](std::span<const Variant> variants) -> Result<Probe::Best> {
      std::vector<double> errors;
      for (const Variant& variant : variants) errors.push_back(error_of(variant));
      calls_ += std::ssize(variants);
      const auto least = std::min_element(errors.begin(), errors.end());
      return Probe::Best{static_cast<size_t>(least - errors.begin()), *least};
    };
    const Variant refined =
        RefineRanges(calibration_, built, {}, error_of({}), best_of, progress_).value();
    EXPECT_LE(error_of(refined), error_of({}));
    const auto at = refined.range_factors.find(value);
    return at == refined.range_factors.end() ? 1.0f : at->second;
  }

  Calibration calibration_;
  SilentProgress progress_;
  int64_t calls_ = 0;
};

TEST_F(RefineTest, FindsANarrowerAndAWiderRange) {
  EXPECT_NEAR(FactorFor("a", 0.5f), 0.49f, 0.02);
  EXPECT_NEAR(FactorFor("a", 1.4f), 1.43f, 0.02);
}

// Few samples tell an error; the histograms, of all samples, tell what a range would cut off.
TEST_F(RefineTest, CutsOffNoLargePartOfWhatWasSeen) {
  const std::vector<float> large(4000, -1.0f);
  calibration_.statistics.at("a").histogram.Add(large, large.size());
  EXPECT_EQ(FactorFor("a", 0.7f), 1);
  EXPECT_GT(FactorFor("a", 1.43f), 1.2f);
}

TEST_F(RefineTest, LeavesWhatIsBestAsItIsWithFewTrials) {
  EXPECT_EQ(FactorFor("a", 1.0f), 1.0f);
  EXPECT_LE(calls_, 3 * 4 * 2);  // three values, four factors each, in two passes
}

}  // namespace
}  // namespace pare::compress
