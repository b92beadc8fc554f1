#include "train/augment.h"

#include <gtest/gtest.h>

#include <numeric>

#include "train/testing.h"

namespace pare::train {
namespace {

// Pixel (c, y, x) of picture n is 100·n + 10·y + x + c / 10.
TrainBatch Pictures(int64_t rows, int64_t channels, int64_t size, bool last) {
  const Dims shape = last ? Dims{rows, size, size, channels} : Dims{rows, channels, size, size};
  Tensor tensor = Tensor::Make(DType::kF32, shape).value();
  TrainBatch batch;
  int64_t i = 0;
  for (float& value : tensor.mutable_as<float>()) {
    const int64_t c = last ? i % channels : i / (size * size) % channels;
    const int64_t pixel = last ? i / channels : i;
    const int64_t n = i / (channels * size * size);
    value = static_cast<float>(100 * n + 10 * (pixel / size % size) + pixel % size) +
            static_cast<float>(c) / 10;
    ++i;
  }
  batch.data.inputs = {tensor};
  batch.data.labels.assign(rows, 0);
  std::iota(batch.data.labels.begin(), batch.data.labels.end(), 0);
  return batch;
}

TEST(Augment, FlipsSomePicturesWhole) {
  for (const bool last : {false, true}) {
    TrainBatch batch = Pictures(16, 3, 8, last), before = Pictures(16, 3, 8, last);
    Random random(1);
    ASSERT_TRUE(Augment(batch, {.flip = true}, {}, random));
    int flipped = 0;
    for (int64_t n = 0; n < 16; ++n) {
      const float* now = batch.data.inputs[0].as<float>().data() + n * 192;
      const float* old = before.data.inputs[0].as<float>().data() + n * 192;
      const int64_t step = last ? 3 : 1;
      const bool is = now[0] == old[7 * step];
      flipped += is;
      for (int64_t x = 0; x < 8; ++x) EXPECT_EQ(now[x * step], old[(is ? 7 - x : x) * step]);
    }
    EXPECT_GT(flipped, 2);
    EXPECT_LT(flipped, 14);
  }
}

TEST(Augment, ShiftsAndFillsTheBorder) {
  TrainBatch batch = Pictures(32, 1, 8, false);
  Random random(2);
  ASSERT_TRUE(Augment(batch, {.crop_pad = 2}, {.mean = {5, 5, 5}}, random));
  int moved = 0;
  for (int64_t n = 0; n < 32; ++n) {
    const float* now = batch.data.inputs[0].as<float>().data() + n * 64;
    // The pixel in the middle tells the shift; all others follow it.
    const auto middle = static_cast<int64_t>(now[4 * 8 + 4]) - 100 * n;
    const int64_t down = middle / 10 - 4, right = middle % 10 - 4;
    ASSERT_LE(std::abs(down), 2);
    ASSERT_LE(std::abs(right), 2);
    moved += down != 0 || right != 0;
    for (int64_t y = 0; y < 8; ++y) {
      for (int64_t x = 0; x < 8; ++x) {
        const bool inside = y + down >= 0 && y + down < 8 && x + right >= 0 && x + right < 8;
        const auto expected = static_cast<float>(100 * n + 10 * (y + down) + x + right);
        EXPECT_EQ(now[y * 8 + x], inside ? expected : -5);
      }
    }
  }
  EXPECT_GT(moved, 20);
}

TEST(Augment, MixesPicturesAndLabelsAlike) {
  TrainBatch batch = Pictures(8, 1, 4, false), before = Pictures(8, 1, 4, false);
  Random random(3);
  ASSERT_TRUE(Augment(batch, {.mixup = 1}, {}, random));
  const Mixture& mixture = batch.mixture;
  ASSERT_EQ(mixture.partner.size(), 8);
  EXPECT_GE(mixture.weight, 0.5f);
  EXPECT_LE(mixture.weight, 1);
  const auto now = batch.data.inputs[0].as<float>(), old = before.data.inputs[0].as<float>();
  for (int64_t i = 0; i < 8 * 16; ++i) {
    const int64_t other = mixture.partner[i / 16] * 16 + i % 16;
    EXPECT_NEAR(now[i], mixture.weight * old[i] + (1 - mixture.weight) * old[other], 1e-3);
  }
  const Tensor rows = LabelRows(batch, 8, 0).value();
  for (int64_t row = 0; row < 8; ++row) {
    float sum = 0;
    for (int64_t c = 0; c < 8; ++c) sum += rows.as<float>()[row * 8 + c];
    EXPECT_NEAR(sum, 1, 1e-6);
    if (mixture.partner[row] == row) continue;
    EXPECT_NEAR(rows.as<float>()[row * 8 + row], mixture.weight, 1e-6);
  }
}

TEST(Augment, RefusesWhatIsNoPicture) {
  TrainBatch batch;
  batch.data.inputs = {Tensor::Zeros(DType::kF32, {4, 10}).value()};
  Random random(1);
  EXPECT_FALSE(Augment(batch, {.flip = true}, {}, random));
  EXPECT_TRUE(Augment(batch, {}, {}, random));
}

TEST(Augment, IsRefusedWhereOtherInputsBelongToTheFirst) {
  const auto of = [](std::string_view second) {
    auto graph = graph::Parse(Text("input a: f32[N,3,8,8]\ninput b: ", second,
                                   "\ny = Relu(a)\nz = Identity(b)\noutput y\noutput z\n"));
    EXPECT_TRUE(graph) << graph.error().message();
    return *graph;
  };
  const graph::Graph stereo = of("f32[N,3,8,8]"), numbers = of("f32[N,4]");
  for (const AugmentOptions& moves :
       {AugmentOptions{.flip = true}, AugmentOptions{.crop_pad = 1}}) {
    const Status both = CheckAugmentation(stereo, moves);
    ASSERT_FALSE(both);
    EXPECT_NE(both.error().message().find("\"b\""), std::string::npos) << both.error().message();
    EXPECT_TRUE(CheckAugmentation(numbers, moves)) << "what tells of no place stays right";
  }
  for (const graph::Graph* graph : {&stereo, &numbers}) {
    EXPECT_FALSE(CheckAugmentation(*graph, {.mixup = 0.2f}));
    EXPECT_TRUE(CheckAugmentation(*graph, {}));
  }
}

// Before the start is scored.
TEST(Augment, OfOneOfTwoPicturesBeginsNoRun) {
  auto graph = graph::Parse(R"(
input a: f32[N,3,8,8]
input b: f32[N,3,8,8]
const w: f32[3,192] = random(1, -1, 1)
s = Sub(a, b)
f = Flatten(s)
y = Gemm(f, w) {transB=1}
output y
)");
  ASSERT_TRUE(graph && ops::InferTypes(*graph));
  const Tensor pictures = Pictures(32, 3, 8, false).data.inputs[0];
  const auto dataset =
      data::DatasetOf({{.name = "a", .tensor = pictures}, {.name = "b", .tensor = pictures}},
                      std::vector<int64_t>(32, 1))
          .value();
  LabelObjective objective;
  SilentProgress progress;
  TrainOptions options;
  options.program.batch = 16;
  options.steps = 1;
  const auto train = [&] {
    return Train(*graph, dataset, FirstIndices(32), {}, objective, {}, model::Context::Make(1),
                 options, progress);
  };
  const auto plain = train();
  EXPECT_TRUE(plain) << plain.error().message();
  options.augment.flip = true;
  EXPECT_FALSE(train());
}

}  // namespace
}  // namespace pare::train
