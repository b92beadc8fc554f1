#include "train/checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pare::train {
namespace {

const RunKey kRun{.identity = "form: 1\n--seed: 3\n--batch: 16", .steps = 8};

// One weight of two numbers.
std::vector<State> SomeStates() {
  return {{"w", graph::ValueId::kNone, Tensor::Of<float>({2}, {0, 0})}};
}

struct Counts {
  int64_t step = 4, best_step = 2, loss_count = 1;
};

data::NamedTensors Checkpoint(Counts counts,
                              std::vector<double> sums = {0.5, 0.25, 0.125, 0.75, 2, 0.01, 3},
                              std::vector<double> row = {4, 1, 0.5, 0.1, 0.25, 2, 3}) {
  const std::string& run = kRun.identity;
  return {
      {"run", Tensor::Of<uint8_t>({std::ssize(run)},
                                  {reinterpret_cast<const uint8_t*>(run.data()), run.size()})},
      {"progress", Tensor::Of<int64_t>({3}, {counts.step, counts.best_step, counts.loss_count})},
      {"sums", Tensor::Of<double>({7}, sums)},
      {"history", Tensor::Of<double>({1, 7}, row)},
      {"now/w", Tensor::Of<float>({2}, {1, 2})},
      {"best/w", Tensor::Of<float>({2}, {3, 4})}};
}

// What is wrong with it; "" for nothing.
std::string Complaint(data::NamedTensors arrays, const RunKey& run = kRun) {
  std::vector<State> states = SomeStates();
  const auto read = ReadCheckpoint(std::move(arrays), states, run);
  return read ? "" : read.error().message();
}

TEST(Checkpoint, GivesBackStatesAndProgress) {
  std::vector<State> states = SomeStates();
  const auto read = ReadCheckpoint(Checkpoint({}), states, kRun);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->step, 4);
  EXPECT_EQ(read->best_step, 2);
  EXPECT_EQ(read->start.score, 0.125);
  EXPECT_EQ(read->start.loss, 3);
  EXPECT_EQ(read->top_score, 0.75);
  EXPECT_EQ(read->best.score, 0.25);
  EXPECT_EQ(read->best.loss, 2);
  EXPECT_EQ(read->rate, 0.01);
  EXPECT_EQ(states[0].data.as<float>()[1], 2);
  EXPECT_EQ(read->best_states[0].as<float>()[1], 4);
  ASSERT_EQ(read->history.size(), 1);
  EXPECT_EQ(read->history[0].seconds, 3);
}

TEST(Checkpoint, RefusesProgressThatNoRunHas) {
  EXPECT_NE(Complaint(Checkpoint({.step = -1})), "");
  EXPECT_NE(Complaint(Checkpoint({.step = std::numeric_limits<int64_t>::min()})), "");
  EXPECT_NE(Complaint(Checkpoint({.step = 9})), "");
  EXPECT_EQ(Complaint(Checkpoint({.step = 8})), "");
  EXPECT_NE(Complaint(Checkpoint({.best_step = 5})), "");
  EXPECT_NE(Complaint(Checkpoint({.best_step = -2})), "");
  EXPECT_EQ(Complaint(Checkpoint({.best_step = -1})), "");
  EXPECT_NE(Complaint(Checkpoint({.loss_count = -1})), "");
  EXPECT_NE(Complaint(Checkpoint({}, {INFINITY, 0, 0, 0, 0, 0, 0})), "");
  EXPECT_NE(Complaint(Checkpoint({}, {0, NAN, 0, 0, 0, 0, 0})), "");
  EXPECT_NE(Complaint(Checkpoint({}, {0, 0, 0, NAN, 0, 0, 0})), "");
  EXPECT_NE(Complaint(Checkpoint({}, {0, 0, 0, 0, INFINITY, 0, 0})), "");
  EXPECT_EQ(Complaint(Checkpoint({}, {0, 0, 0, 0, NAN, 0, 0})), "");  // the score has no loss
  EXPECT_NE(Complaint(Checkpoint({}, {0, 0, 0, 0, 0, -1, 0})), "");
  EXPECT_NE(Complaint(Checkpoint({}, {0, 0, 0, 0, 0, NAN, 0})), "");
  EXPECT_NE(Complaint(Checkpoint({}, {0, 0, 0, 0, 0, 0, INFINITY})), "");
  EXPECT_EQ(Complaint(Checkpoint({}, {0, 0, 0, 0, 0, 0, NAN})), "");
  EXPECT_NE(Complaint(Checkpoint({}, {0, 0, 0, 0, 0, 0, 0}, {5, 1, 0.5, 0.1, 0, 0, 3})), "");
  EXPECT_NE(Complaint(Checkpoint({}, {0, 0, 0, 0, 0, 0, 0}, {NAN, 1, 0.5, 0.1, 0, 0, 3})), "");
  EXPECT_NE(Complaint(Checkpoint({}, {0, 0, 0, 0, 0, 0, 0}, {1e300, 1, 0.5, 0.1, 0, 0, 3})), "");
  EXPECT_EQ(Complaint(Checkpoint({}, {0, 0, 0, 0, 0, 0, 0}, {4, 1, 0.5, 0.1, NAN, NAN, 3})), "")
      << "not scored";
}

TEST(Checkpoint, GivesBackTrials) {
  const auto with = [](const Dims& shape, std::vector<double> trials) {
    data::NamedTensors arrays = Checkpoint({});
    arrays.emplace_back("trials", Tensor::Of<double>(shape, trials));
    return arrays;
  };
  std::vector<State> states = SomeStates();
  const auto read =
      ReadCheckpoint(with({2, 4}, {0.1, 2, 50, 3, 0.3, INFINITY, 0, 0}), states, kRun);
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->trials.size(), 2);
  EXPECT_EQ(read->trials[0].loss, 2);
  EXPECT_EQ(read->trials[0].slack, 3);
  EXPECT_FALSE(read->trials[1].finite());
  EXPECT_NE(Complaint(with({1, 4}, {0.1, NAN, 0, 0})), "");
  EXPECT_NE(Complaint(with({1, 4}, {-0.1, 1, 0, 0})), "");
  EXPECT_NE(Complaint(with({1, 4}, {0.1, 1, INFINITY, 0})), "");
  EXPECT_NE(Complaint(with({1, 3}, {0.1, 1, 0})), "");
}

TEST(Checkpoint, RefusesArraysOfAnotherModelAndSaysWhatDiffersInARun) {
  data::NamedTensors other = Checkpoint({});
  other[4].second = Tensor::Of<float>({1, 2}, {1, 2});
  EXPECT_NE(Complaint(other).find("of another model"), std::string::npos);
  other.pop_back();
  EXPECT_NE(Complaint(other), "");
  EXPECT_NE(Complaint({}), "");
  const std::string seed = Complaint(Checkpoint({}), {"form: 1\n--seed: 4\n--batch: 16", 8});
  EXPECT_NE(seed.find("another run: --seed: the checkpoint was made with 3, this run has 4\n"),
            std::string::npos)
      << seed;
  const std::string form = Complaint(Checkpoint({}), {"form: 2\n--seed: 4", 8});
  EXPECT_NE(form.find("another version of pare"), std::string::npos) << form;
}

}  // namespace
}  // namespace pare::train
