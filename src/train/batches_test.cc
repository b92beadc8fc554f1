#include "train/batches.h"

#include <algorithm>

#include "train/testing.h"

namespace pare::train {
namespace {

constexpr int64_t kSamples = 22, kBatch = 4;  // two samples fill no batch

Batches SomeBatches(int64_t parts = 1) {
  return Batches(SmallClassifier(), ThreeClouds(kSamples), FirstIndices(kSamples), {},
                 {.batch = kBatch, .parts = parts, .seed = 5, .augment = {}});
}

std::vector<int64_t> At(Batches& batches, int64_t step, int64_t part = 0) {
  const auto batch = batches.At(step, part);
  EXPECT_TRUE(batch) << batch.error().message();
  return batch ? batch->data.indices : std::vector<int64_t>();
}

TEST(Batches, TakeEachSampleAtMostOnceAnEpoch) {
  Batches batches = SomeBatches();
  ASSERT_EQ(batches.steps_an_epoch(), 5);
  std::vector<int64_t> orders[2];
  for (int64_t step = 0; step < 10; ++step) {
    const auto indices = At(batches, step);
    EXPECT_EQ(indices.size(), static_cast<size_t>(kBatch));
    orders[step / 5].insert(orders[step / 5].end(), indices.begin(), indices.end());
  }
  EXPECT_NE(orders[0], orders[1]);
  for (auto& order : orders) {
    std::ranges::sort(order);
    EXPECT_EQ(std::ranges::adjacent_find(order), order.end());
  }
}

TEST(Batches, AreTheSameWheneverTheyAreAskedFor) {
  Batches in_order = SomeBatches(), at_will = SomeBatches();
  std::vector<std::vector<int64_t>> steps;
  for (int64_t step = 0; step < 12; ++step) steps.push_back(At(in_order, step));
  for (const int64_t step : {7, 3, 4, 4, 0, 11, 10}) EXPECT_EQ(At(at_will, step), steps[step]);
}

TEST(Batches, ComeInParts) {
  Batches whole = SomeBatches(), halves = SomeBatches(2);
  for (const int64_t step : {0, 1, 6, 4}) {
    std::vector<int64_t> both = At(halves, step, 0);
    const auto second = At(halves, step, 1);
    both.insert(both.end(), second.begin(), second.end());
    EXPECT_EQ(both, At(whole, step));
  }
  const auto all = At(whole, 2);
  EXPECT_EQ(At(halves, 2, 1), std::vector<int64_t>(all.begin() + 2, all.end()));
}

}  // namespace
}  // namespace pare::train
