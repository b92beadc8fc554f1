#include "compress/validate.h"

#include <cmath>

#include "compress/distill/testing.h"

namespace pare::compress {
namespace {

Validation Pictures() {
  return {.dataset = data::DatasetOf({{.name = "", .tensor = RowsOf({12, 4, 1, 2})}}, {}).value(),
          .indices = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
          .preprocess = {},
          .batch = 5};
}

graph::Graph Dense(const std::string& last) {
  return GraphOf(Text("input x: f32[N,4,1,2]\nconst w: f32[3,4,1,1] = random(1, -1, 1)\n",
                      "const far: f32[1,1,1,2] = random(2, 5, 50)\nh = Conv(x, w)\n", last,
                      "\noutput y\n"));
}

// What a soft loss doesn't see makes no model worse: a constant at each position, a final Softmax.
TEST(ScoreByReference, OfSoftDenseOutputsIsByPosition) {
  const Likeness likeness = LikenessFor(DistillLoss::kSoft, /*classifies=*/false);
  const Validation validation = Pictures();
  for (const char* last : {"y = Softmax(h) {axis=1}", "y = Identity(h)"}) {
    const auto score = ScoreByReference(Dense(last), likeness, validation, OneThread());
    ASSERT_TRUE(score) << score.error().message();
    for (const char* same : {"y = Add(h, far)", "s = Add(h, far)\ny = Softmax(s) {axis=1}",
                             "y = Softmax(h) {axis=1}"}) {
      const auto equal = (*score)(Dense(same));
      ASSERT_TRUE(equal) << equal.error().message();
      EXPECT_EQ(equal->score, 100);
      EXPECT_NEAR(equal->loss.value(), 0, 1e-5);
    }
    // Sharper: the same classes, other probabilities. Turned round: other classes.
    const auto sharper = (*score)(Dense("y = Add(h, h)")), other = (*score)(Dense("y = Neg(h)"));
    ASSERT_TRUE(sharper && other);
    EXPECT_EQ(sharper->score, 100);
    EXPECT_GT(sharper->loss.value(), 0.01);
    EXPECT_LT(other->score, 50);
    EXPECT_GT(other->loss.value(), sharper->loss.value());
    EXPECT_NEAR(other->margin, 100.0 * 4 / 12, 1e-9);
    const double share = other->score / 100;
    EXPECT_NEAR(other->error, 100 * std::sqrt(share * (1 - share) / 12), 1e-9);
  }
  EXPECT_EQ(LikenessFor(DistillLoss::kAuto, false), Likeness::kSnr);
  EXPECT_EQ(LikenessFor(DistillLoss::kSoft, true), Likeness::kAgreement);
}

}  // namespace
}  // namespace pare::compress
