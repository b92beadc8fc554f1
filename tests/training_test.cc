// Training against what PyTorch computes from the same weights on the same batches (tests/training,
// made by tools/oracle/make_training.py): gradients, running statistics, and the losses of some
// steps of each optimizer.
#include <gtest/gtest.h>

#include <cmath>

#include "data/npy.h"
#include "running.h"
#include "train/program.h"

namespace pare {
namespace {

constexpr int kSteps = 5;

class Training : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string stem = SourcePath(Text("tests/training/", GetParam()));
    auto model = model::Model::Load(stem + ".onnx", train::kTrainable);
    ASSERT_TRUE(model) << model.error().message();
    graph_ = model->graph();
    auto arrays = data::LoadNpz(stem + ".npz");
    ASSERT_TRUE(arrays) << arrays.error().message();
    for (auto& [name, tensor] : *arrays) arrays_.emplace(name, tensor);
  }

  train::TrainBatch Batch(int i) const {
    train::TrainBatch batch;
    batch.data.inputs = {arrays_.at(Text("x/", i))};
    const auto labels = arrays_.at(Text("labels/", i)).as<int64_t>();
    batch.data.labels.assign(labels.begin(), labels.end());
    return batch;
  }

  Result<train::Program> MakeProgram(train::OptimizerOptions optimizer) {
    return train::Program::Make(graph_, objective_, model::Context::Make(2),
                                {.batch = std::ssize(Batch(0).data.labels),
                                 .parameters = {},
                                 .optimizer = std::move(optimizer)});
  }

  void ExpectLosses(train::OptimizerOptions optimizer, double rate, const std::string& expected) {
    auto program = MakeProgram(std::move(optimizer));
    ASSERT_TRUE(program) << program.error().message();
    for (int i = 0; i < kSteps; ++i) {
      const auto result = program->Run(Batch(i), rate, i + 1);
      ASSERT_TRUE(result) << result.error().message();
      const double loss = arrays_.at(expected).as<double>()[i];
      EXPECT_NEAR(result->loss, loss, 1e-4 * loss) << "step " << i + 1;
    }
  }

  graph::Graph graph_;
  std::map<std::string, Tensor> arrays_;
  train::LabelObjective objective_;
};

// ‖a − b‖ ≤ tolerance · ‖b‖
void ExpectNear(const Tensor& actual, const Tensor& expected, double tolerance) {
  ASSERT_EQ(actual.shape(), expected.shape());
  double apart = 0, length = 0;
  for (int64_t i = 0; i < actual.count(); ++i) {
    const double a = actual.as<float>()[i], e = expected.as<float>()[i];
    apart += (a - e) * (a - e);
    length += e * e;
  }
  EXPECT_LE(std::sqrt(apart), tolerance * std::sqrt(length) + 1e-7);
}

// With momentum alone the buffer of the first step is the gradient.
TEST_P(Training, GradientsAndStatisticsAreTheOracles) {
  auto program = MakeProgram({.momentum = 0.9f, .no_decay = {}});
  ASSERT_TRUE(program) << program.error().message();
  ASSERT_TRUE(program->Run(Batch(0), 0.1, 1));
  std::map<std::string, Tensor> states;
  for (const train::State& state : program->states()) states.emplace(state.name, state.data);
  int compared = 0;
  for (const auto& [name, expected] : arrays_) {
    SCOPED_TRACE(name);
    std::string state;
    if (name.starts_with("gradient/")) state = "optimizer.momentum." + name.substr(9);
    if (name.starts_with("after/")) state = name.substr(6);
    if (state.empty()) continue;
    ASSERT_TRUE(states.contains(state)) << "no state " << state;
    ExpectNear(states.at(state), expected, 1e-4);
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

TEST_P(Training, StepsOfSgdAreTheOracles) {
  ExpectLosses({.nesterov = true, .weight_decay = 5e-4f, .no_decay = {}}, 0.05, "loss/sgd");
}

TEST_P(Training, StepsOfAdamWAreTheOracles) {
  ExpectLosses({.kind = train::OptimizerKind::kAdamW, .weight_decay = 0.01f, .no_decay = {}}, 0.002,
               "loss/adamw");
}

INSTANTIATE_TEST_SUITE_P(All, Training, testing::Values("cnn", "encoder"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace pare
