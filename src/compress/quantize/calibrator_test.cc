#include "compress/quantize/calibrator.h"

#include <gtest/gtest.h>

#include <cfloat>
#include <cmath>
#include <random>

#include "compress/quantize/statistics.h"

namespace pare::compress {
namespace {

TEST(Histogram, GrowsWithoutLosingValues) {
  Histogram h;
  for (float scale : {0.01f, 1.0f, 300.0f}) {
    const float values[] = {-scale, 0, scale, scale / 3};
    h.Add(values);
  }
  EXPECT_EQ(h.count(), 12);
  EXPECT_EQ(h.min(), -300.0f);
  EXPECT_EQ(h.max(), 300.0f);
  int64_t total = 0, negative = 0;
  for (int i = 0; i < Histogram::kBins; ++i) {
    total += h.bins()[i];
    if (i < Histogram::kBins / 2) negative += h.bins()[i];
  }
  EXPECT_EQ(total, 12);
  EXPECT_EQ(negative, 3);
}

TEST(Histogram, MergedIsAsIfOneHadSeenAll) {
  std::mt19937 engine(3);
  std::normal_distribution<float> normal;
  std::vector<float> small(500), large(500), zeros(10, 0.0f);
  for (float& value : small) value = 0.01f * normal(engine);
  for (float& value : large) value = 40 * normal(engine);
  Histogram all, first, second, nothing;
  for (const auto& values : {small, large, zeros}) all.Add(values);
  first.Add(zeros);
  first.Add(small);
  second.Add(large);
  first.Merge(second);
  first.Merge(nothing);
  EXPECT_EQ(first.width(), all.width());
  EXPECT_EQ(first.count(), all.count());
  EXPECT_EQ(first.min(), all.min());
  EXPECT_EQ(first.max(), all.max());
  EXPECT_TRUE(std::equal(all.bins().begin(), all.bins().end(), first.bins().begin()));
}

TEST(Histogram, NonFiniteValuesAreCountedApart) {
  Histogram h;
  const float values[] = {NAN, INFINITY, -INFINITY, 2.0f};
  h.Add(values);
  EXPECT_EQ(h.non_finite(), 3);
  EXPECT_EQ(h.count(), 1);
  EXPECT_EQ(h.max(), 2.0f);
  std::vector<float> many(100, 1.0f);
  many[3] = NAN;
  many[17] = -INFINITY;
  many[99] = 5;
  h.Add(many);
  EXPECT_EQ(h.non_finite(), 5);
  EXPECT_EQ(h.min(), 1.0f);
  EXPECT_EQ(h.max(), 5.0f);
}

Histogram Gaussian(float outlier) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(1 << 16);
  for (float& value : values) value = normal(random);
  values[7] = outlier;
  Histogram h;
  h.Add(values, values.size());
  return h;
}

TEST(Calibrate, ClippingCalibratorsCutAnOutlierAndMinMaxDoesnt) {
  const Histogram h = Gaussian(80);
  EXPECT_EQ(Calibrate(h, Calibrator::kMinMax).hi, 80.0f);
  for (Calibrator by : {Calibrator::kEntropy, Calibrator::kMse}) {
    const Range range = Calibrate(h, by);
    EXPECT_LT(range.hi, 79.0f) << CalibratorName(by);
    EXPECT_LT(range.lo, -2.5f) << CalibratorName(by);
  }
}

TEST(Calibrate, MseHasTheLeastErrorAndAutoTakesIt) {
  const Histogram h = Gaussian(40);
  const double mse = QuantizationError(h, Calibrate(h, Calibrator::kMse));
  for (Calibrator by : {Calibrator::kMinMax, Calibrator::kPercentile, Calibrator::kEntropy}) {
    EXPECT_LE(mse, QuantizationError(h, Calibrate(h, by)));
  }
  EXPECT_LE(QuantizationError(h, CalibrateAuto(h).range),
            QuantizationError(h, Calibrate(h, Calibrator::kMinMax)));
}

TEST(Calibrate, ZeroIsAlwaysExact) {
  Histogram h;
  const float values[] = {3.0f, 4.0f, 5.0f};
  h.Add(values);
  for (Calibrator by :
       {Calibrator::kMinMax, Calibrator::kPercentile, Calibrator::kEntropy, Calibrator::kMse}) {
    EXPECT_EQ(Calibrate(h, by).lo, 0.0f);
  }
  EXPECT_EQ(ToParams({-1.0f, 1.02f}).zero_point, 126);
  EXPECT_EQ(ToParams({0.0f, 0.0f}).zero_point, 0);
  EXPECT_GT(ToParams({0.0f, 0.0f}).scale, 0.0f);
}

TEST(Calibrate, ARangeOfAllFloatsHasAScale) {
  const QuantParams params = ToParams({-FLT_MAX, FLT_MAX});
  EXPECT_TRUE(std::isfinite(params.scale));
  EXPECT_EQ(params.zero_point, 128);
}

TEST(TensorStatistics, KnowNoChannelsWhereBatchesDifferInThem) {
  TensorStatistics all, more;
  all.channel_sum = all.channel_square = {1, 2};
  all.channel_max = {1, 2};
  all.per_channel = more.per_channel = 1;
  more.channel_sum = more.channel_square = {1, 2, 3};
  more.channel_max = {1, 2, 3};
  all.Merge(more);
  EXPECT_TRUE(all.ChannelMeans().empty());
  all.Merge(more);
  EXPECT_TRUE(all.ChannelMeans().empty());
}

}  // namespace
}  // namespace pare::compress
