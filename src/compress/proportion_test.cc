#include "compress/proportion.h"

#include <gtest/gtest.h>

namespace pare::compress {
namespace {

// Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17
// (1998), table I, method 3.
TEST(ShareBounds, AreThoseOfThePublishedExamples) {
  const struct {
    int64_t hits, count;
    double low, high;
  } kExamples[] = {
      {81, 263, 25.53, 36.62}, {15, 148, 6.24, 16.05}, {0, 20, 0, 16.11}, {1, 29, 0.61, 17.18}};
  for (const auto& [hits, count, low, high] : kExamples) {
    const Bounds bounds = ShareBounds(hits, count);
    EXPECT_NEAR(bounds.low, low, 0.006) << hits;
    EXPECT_NEAR(bounds.high, high, 0.006) << hits;
  }
  EXPECT_NEAR(ShareBounds(20, 20).low, 100 - 16.11, 0.006);
  EXPECT_NEAR(ShareBounds(20, 20).high, 100, 1e-9);
}

TEST(ChangeBounds, NarrowWithWhatBothModelsShare) {
  // By hand: (13 − 5) / 202 ± 1.96 · √((18/202 − (8/202)²) / 202), 12 gained and 4 lost of 200.
  const Bounds bounds = ChangeBounds(4, 12, 200);
  EXPECT_NEAR(bounds.low, 100 * (8 / 202. - 0.040815), 0.01);
  EXPECT_NEAR(bounds.high, 100 * (8 / 202. + 0.040815), 0.01);
  // The same change, where the models differ on more samples.
  EXPECT_LT(ChangeBounds(44, 52, 200).low, bounds.low);
  EXPECT_GT(ChangeBounds(44, 52, 200).high, bounds.high);
}

TEST(ChangeBounds, HoldWhatWasSeenAndStayWithinReach) {
  for (const auto& [lost, gained, count] :
       {std::tuple(0, 0, 1), {1, 0, 1}, {0, 9, 9}, {7, 0, 50}}) {
    const Bounds bounds = ChangeBounds(lost, gained, count);
    const double seen = 100.0 * (gained - lost) / count;
    EXPECT_LE(bounds.low, seen);
    EXPECT_GE(bounds.high, seen);
    EXPECT_GE(bounds.low, -100);
    EXPECT_LE(bounds.high, 100);
  }
}

}  // namespace
}  // namespace pare::compress
