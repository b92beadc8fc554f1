#include "compress/score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compress/timing.h"
#include "graph/text.h"

namespace pare::compress {
namespace {

TEST(LabelScore, CountsTheFirstOfEqualsAndSkipsUnknownLabels) {
  const Tensor scores = Tensor::Of<float>(
      {4, 6}, {0, 1, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, NAN, 5, 0, 0, 0, 0});
  const int64_t labels[] = {1, 1, -1, 1};
  LabelScore score;
  score.Add(scores, labels, 4);
  EXPECT_EQ(score.labelled(), 3);
  EXPECT_NEAR(*score.top1(), 100.0 / 3,
              1e-9);  // the tie goes to class 0, the row with NaN to nobody
  EXPECT_NEAR(*score.top5(), 200.0 / 3, 1e-9);
}

TEST(LabelScore, TellsNoFirstFiveOfFiveClasses) {
  const int64_t labels[] = {4};
  LabelScore five, six;
  five.Add(Tensor::Of<float>({1, 5}, {5, 4, 3, 2, 1}), labels, 1);
  six.Add(Tensor::Of<float>({1, 6}, {5, 4, 3, 2, 1, 0}), labels, 1);
  EXPECT_EQ(five.top5(), std::nullopt);
  EXPECT_EQ(six.top5(), 100);
}

TEST(LabelScore, ChangesArePairedSampleBySample) {
  const int64_t labels[] = {0, 1, -1, 1};
  LabelScore before, after;
  before.Add(Tensor::Of<float>({4, 2}, {1, 0, 0, 1, 0, 1, 1, 0}), labels, 4);  // right right wrong
  after.Add(Tensor::Of<float>({4, 2}, {0, 1, 0, 1, 1, 0, 0, 1}), labels, 4);   // wrong right right
  const Bounds expected = ChangeBounds(1, 1, 3);
  EXPECT_EQ(before.top1_change_bounds(after)->low, expected.low);
  EXPECT_EQ(before.top1_change_bounds(after)->high, expected.high);
  EXPECT_EQ(before.top1_bounds()->low, ShareBounds(2, 3).low);
  EXPECT_FALSE(LabelScore().top1_bounds());
  EXPECT_FALSE(LabelScore().top1_change_bounds(LabelScore()));
}

TEST(Metric, OneNumberIsMeasuredByItsError) {
  for (const char* shape : {"f32[N,1]", "f32[N]", "f32[4,1,1]"}) {
    const auto graph =
        graph::Parse(Text("input x: ", shape, "\ny: ", shape, " = Relu(x)\noutput y\n"));
    ASSERT_TRUE(graph) << graph.error().message();
    EXPECT_EQ(ChooseMetric(Metric::kAuto, *graph), Metric::kMse) << shape;
    EXPECT_TRUE(CheckMetric(Metric::kAuto, *graph));
    const Status refused = CheckMetric(Metric::kTop, *graph);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find(shape), std::string::npos);
  }
  const auto classes = graph::Parse("input x: f32[N,4]\ny: f32[N,4] = Relu(x)\noutput y\n");
  EXPECT_EQ(ChooseMetric(Metric::kAuto, *classes), Metric::kCosine);  // of its input's shape
  EXPECT_TRUE(CheckMetric(Metric::kTop, *classes));
  // Numbers of classes, a score for each place, none at all.
  for (const char* type : {"i64[N]", "i64[N,3]", "f32[N,16,8,8]", "f32[N]"}) {
    const auto other =
        graph::Parse(Text("input x: ", type, "\ny: ", type, " = Identity(x)\noutput y\n"));
    ASSERT_TRUE(other) << other.error().message();
    EXPECT_FALSE(CheckMetric(Metric::kTop, *other)) << type;
  }
  const Tensor dense = Tensor::Of<float>({1, 2, 2}, {1, 2, 3, 4});
  const Tensor numbers = Tensor::Of<int64_t>({1, 2}, {1, 2});
  EXPECT_FALSE(CheckScores({&dense, 1}));
  EXPECT_FALSE(CheckScores({&numbers, 1}));
}

TEST(Metric, AModelWithoutInputsHasOne) {
  const auto graph =
      graph::Parse("const c: f32[1,4] = [1,2,3,4]\ny: f32[1,4] = Relu(c)\noutput y\n");
  ASSERT_TRUE(graph) << graph.error().message();
  EXPECT_EQ(ChooseMetric(Metric::kAuto, *graph), Metric::kTop);
}

TEST(LabelScore, ALabelBeyondTheClassesIsWrong) {
  LabelScore score;
  const int64_t labels[] = {7};
  score.Add(Tensor::Of<float>({1, 2}, {0, 1}), labels, 1);
  EXPECT_EQ(*score.top1(), 0);
  EXPECT_FALSE(LabelScore().top1());
}

TEST(PairScore, OnlyValidRowsCount) {
  const Tensor a = Tensor::Of<float>({2, 2}, {1, 0, 0, 1});
  const Tensor b = Tensor::Of<float>({2, 2}, {1, 0, 1, 0});
  PairScore one, two;
  EXPECT_TRUE(one.Add({&a, 1}, {&b, 1}, 1));
  EXPECT_TRUE(two.Add({&a, 1}, {&b, 1}, 2));
  EXPECT_EQ(one.agreement(), 100);
  EXPECT_EQ(one.relative_error(), 0);
  EXPECT_TRUE(std::isinf(*one.psnr()));
  EXPECT_EQ(two.agreement(), 50);
  EXPECT_NEAR(*two.cosine(), 0.5, 1e-12);
  EXPECT_NEAR(*two.mse(), 0.5, 1e-12);
}

// Boxes in pixels beside scores in [0, 1]: an error as large against either counts as much.
TEST(PairScore, EveryOutputCountsAgainstItsOwnSize) {
  const Tensor a[] = {Tensor::Of<float>({1, 2}, {300, 400}),
                      Tensor::Of<float>({1, 2}, {0.6f, 0.8f}), Tensor::Of<int64_t>({1, 1}, {7})};
  const Tensor boxes[] = {Tensor::Of<float>({1, 2}, {300, 450}), a[1], a[2]};
  const Tensor scores[] = {a[0], Tensor::Of<float>({1, 2}, {0.6f, 0.9f}), a[2]};
  PairScore of_boxes, of_scores, of_both;
  EXPECT_TRUE(of_boxes.Add(a, boxes, 1));
  EXPECT_TRUE(of_scores.Add(a, scores, 1));
  EXPECT_NEAR(of_boxes.relative_error(), 0.01 / 2, 1e-9);
  EXPECT_NEAR(of_scores.relative_error(), 0.01 / 2, 1e-7);
  of_both.Merge(of_boxes);
  of_both.Merge(of_scores);
  EXPECT_NEAR(of_both.relative_error(), 0.01 / 2, 1e-7);
}

// An output that is all but zero, and wrong as a whole, leaves the choice to the others; against
// one that is zero stands what is in all.
TEST(PairScore, NoOutputDecidesAlone) {
  const Tensor a[] = {Tensor::Of<float>({1, 2}, {3, 4}), Tensor::Of<float>({1, 2}, {1e-9f, 0})};
  const Tensor other[] = {Tensor::Of<float>({1, 2}, {3, 3}), Tensor::Of<float>({1, 2}, {5, 5})};
  PairScore score;
  EXPECT_TRUE(score.Add(a, other, 1));
  EXPECT_NEAR(score.relative_error(), (1.0 / 25 + 1) / 2, 1e-9);

  const Tensor zero[] = {a[0], Tensor::Of<float>({1, 2}, {0, 0})};
  const Tensor little[] = {a[0], Tensor::Of<float>({1, 2}, {0.5f, 0})};
  PairScore of_zero;
  EXPECT_TRUE(of_zero.Add(zero, little, 1));
  EXPECT_NEAR(of_zero.relative_error(), 0.25 / 25 / 2, 1e-9);
}

TEST(PairScore, OneOutputThatIsNotFiniteMakesTheErrorUnknown) {
  const Tensor a[] = {Tensor::Of<float>({1, 2}, {3, 4}), Tensor::Of<float>({1, 2}, {1, 0})};
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    const Tensor other[] = {a[0], Tensor::Of<float>({1, 2}, {1, bad})};
    PairScore score;
    EXPECT_TRUE(score.Add(a, other, 1));
    EXPECT_FALSE(IsKnownError(score.relative_error())) << bad;
  }
}

TEST(PairScore, RefusesOtherNumbersOfOutputs) {
  const Tensor two[] = {Tensor::Of<float>({1, 2}, {1, 2}), Tensor::Of<float>({1, 2}, {3, 4})};
  PairScore score;
  for (const auto& [a, b] : {std::pair(2, 1), std::pair(1, 2)}) {
    const Status refused = score.Add(std::span(two, a), std::span(two, b), 1);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind(), ErrorKind::kUsage);
  }
  EXPECT_EQ(score.count(), 0);
}

TEST(PairScore, SaysNothingOfWhatCanNotBeCompared) {
  const Tensor nans = Tensor::Of<float>({2, 2}, {NAN, NAN, NAN, INFINITY});
  const Tensor numbers = Tensor::Of<float>({2, 2}, {1, 0, 0, 1});
  PairScore none, half, broken;
  EXPECT_TRUE(none.Add({&nans, 1}, {&nans, 1}, 2));
  EXPECT_FALSE(none.cosine());
  EXPECT_FALSE(none.mse());
  EXPECT_FALSE(none.psnr());
  EXPECT_EQ(none.agreement(), 0);
  EXPECT_GT(none.relative_error(), 1e300);
  EXPECT_EQ(none.not_finite_reference(), 2);
  EXPECT_TRUE(half.Add({&nans, 1}, {&numbers, 1}, 2));
  EXPECT_TRUE(half.Add({&numbers, 1}, {&numbers, 1}, 2));
  EXPECT_EQ(half.cosine(), 1);
  EXPECT_EQ(half.not_finite_reference(), 2);
  EXPECT_EQ(half.not_finite_other(), 0);
  EXPECT_EQ(half.agreement(), 50);
  EXPECT_TRUE(broken.Add({&numbers, 1}, {&nans, 1}, 2));
  EXPECT_EQ(broken.cosine(), 0);
  EXPECT_EQ(broken.agreement(), 0);
  EXPECT_FALSE(std::isfinite(*broken.mse()));
  EXPECT_EQ(broken.not_finite_other(), 2);
}

TEST(TimingNotes, TellOfABusyMachineAndOfTimesThatVary) {
  Timed timed;
  timed.sides = {{.ms = {2, 1.9, 2.1, 1.8}, .layers = {}}};
  EXPECT_TRUE(TimingNotes(timed, 2, 2).empty());  // nothing is known
  timed.contention = {.elsewhere = 1.1, .stolen = 0};
  EXPECT_TRUE(TimingNotes(timed, 1, 2).empty());  // on the other processor
  const auto busy = TimingNotes(timed, 2, 2);
  ASSERT_EQ(busy.size(), 1u);
  EXPECT_NE(busy[0].find("took 1.1 of 2 processors while 2 threads"), std::string::npos) << busy[0];
  timed.contention = {.elsewhere = 0.9, .stolen = 0.6};
  EXPECT_NE(TimingNotes(timed, 1, 2)[0].find("and machines took 1.5"), std::string::npos);
  timed.contention.reset();
  timed.sides.push_back({.ms = {2, 1.5, 2.5, 1.4}, .layers = {}});
  const auto wide = TimingNotes(timed, 2, 2);
  ASSERT_EQ(wide.size(), 1u);
  EXPECT_NE(wide[0].find("50 % of the median"), std::string::npos) << wide[0];
}

TEST(MedianOf, TheIntervalHoldsTheMedian) {
  std::vector<double> samples;
  for (int i = 0; i < 101; ++i) samples.push_back((i * 37) % 101);
  const Interval interval = MedianOf(samples);
  EXPECT_EQ(interval.median, 50);
  EXPECT_LT(interval.low, 45);
  EXPECT_GT(interval.high, 55);
  EXPECT_GT(interval.low, 35);
  EXPECT_EQ(interval.min, 0);
}

}  // namespace
}  // namespace pare::compress
