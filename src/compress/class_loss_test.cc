#include "compress/class_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/text.h"

namespace pare::compress {
namespace {

const graph::Graph kLogits = *graph::Parse("input y: f32[N,2]\noutput y\n");
const graph::Graph kSoftmax =
    *graph::Parse("input x: f32[N,2]\ny: f32[N,2] = Softmax(x) {axis=1}\noutput y\n");
// Softmax of the first is the second.
const Tensor kScores = Tensor::Of<float>({2, 2}, {std::log(3.0f), 0, 0, 0});
const Tensor kProbabilities = Tensor::Of<float>({2, 2}, {0.75f, 0.25f, 0.5f, 0.5f});

TEST(ClassLoss, IsTheCrossEntropyByLabelsOfLogitsAndProbabilities) {
  const double expected = -(std::log(0.75) + std::log(0.5)) / 2;
  const int64_t labels[] = {0, 1};
  ClassLoss logits(kLogits), probabilities(kSoftmax), smoothed(kLogits, 0.5f);
  logits.Add(kScores, labels, 2);
  probabilities.Add(kProbabilities, labels, 2);
  EXPECT_NEAR(logits.mean(), expected, 1e-6);
  EXPECT_NEAR(probabilities.mean(), expected, 1e-6);
  smoothed.Add(kScores, labels, 1);
  EXPECT_NEAR(smoothed.mean(), -0.75 * std::log(0.75) - 0.25 * std::log(0.25), 1e-6);
  const int64_t none[] = {-1, 2};
  logits.Add(kScores, none, 2);
  EXPECT_NEAR(logits.mean(), expected, 1e-6) << "samples without a label count for nothing";
}

TEST(ClassLoss, IsTheDivergenceFromTheReference) {
  ClassLoss same(kSoftmax, kLogits), other(kLogits, kSoftmax);
  same.Add(kScores, kProbabilities, 2);
  EXPECT_NEAR(same.mean(), 0, 1e-6);
  other.Add(kProbabilities, Tensor::Of<float>({2, 2}, {0, 0, 0, 0}), 1);
  EXPECT_NEAR(other.mean(), 0.75 * std::log(1.5) + 0.25 * std::log(0.5), 1e-6);
}

TEST(ClassLoss, StaysFiniteAndLargeForAnswersThatAreNoNumbers) {
  const int64_t labels[] = {0, 1};
  ClassLoss broken(kLogits);
  broken.Add(Tensor::Of<float>({2, 2}, {NAN, 1, INFINITY, 0}), labels, 2);
  EXPECT_TRUE(std::isfinite(broken.mean()));
  EXPECT_GT(broken.mean(), 60);
}

}  // namespace
}  // namespace pare::compress
