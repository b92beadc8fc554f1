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
// Its table of places, too, which PyTorch has as a weight.
const train::ParameterOptions kAll{.freeze = {}, .only = {"*"}, .also = {}};

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
                                 .parameters = kAll,
                                 .optimizer = std::move(optimizer)});
  }

  // The states after two steps of SGD, each on all samples of a batch.
  Result<std::vector<train::State>> TwoSteps(train::ProgramOptions options) {
    const int64_t batch = std::ssize(Batch(0).data.labels);
    options.batch = batch;
    options.parameters = kAll;
    PARE_ASSIGN(auto program,
                train::Program::Make(graph_, objective_, model::Context::Make(2), options));
    for (int i = 0; i < 2; ++i) {
      for (int64_t part = 0; part < options.parts; ++part) {
        const int64_t samples = batch / options.parts;
        PARE_TRY(program.Run(Part(Batch(i), part * samples, samples),
                             {.step = i + 1, .part = part, .rate = 0.1}));
      }
    }
    memory_bytes_ = program.memory_bytes();
    recomputation_ = program.recomputation();
    return program.states();
  }

  static train::ProgramOptions Within(int64_t max_memory_bytes) {
    train::ProgramOptions options;
    options.max_memory_bytes = max_memory_bytes;
    return options;
  }

  static train::TrainBatch Part(const train::TrainBatch& whole, int64_t begin, int64_t samples) {
    train::TrainBatch part;
    for (const Tensor& from : whole.data.inputs) {
      Dims shape = from.shape();
      const size_t row = from.bytes() / shape[0];
      shape[0] = samples;
      part.data.inputs.push_back(*Tensor::Make(from.dtype(), shape));
      std::memcpy(part.data.inputs.back().mutable_data(), from.data() + begin * row, samples * row);
    }
    const auto first = whole.data.labels.begin() + begin;
    part.data.labels.assign(first, first + samples);
    return part;
  }

  void ExpectLosses(train::OptimizerOptions optimizer, double rate, const std::string& expected) {
    auto program = MakeProgram(std::move(optimizer));
    ASSERT_TRUE(program) << program.error().message();
    for (int i = 0; i < kSteps; ++i) {
      const auto result = program->Run(Batch(i), {.step = i + 1, .rate = rate});
      ASSERT_TRUE(result) << result.error().message();
      const double loss = arrays_.at(expected).as<double>()[i];
      EXPECT_NEAR(result->loss, loss, 1e-4 * loss) << "step " << i + 1;
    }
  }

  graph::Graph graph_;
  std::map<std::string, Tensor> arrays_;
  train::LabelObjective objective_;
  int64_t memory_bytes_ = 0;  // of the program before
  int recomputation_ = 0;
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
  ASSERT_TRUE(program->Run(Batch(0), {.rate = 0.1}));
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

TEST_P(Training, LessMemoryGivesTheSameBits) {
  const auto plain = TwoSteps({});
  ASSERT_TRUE(plain) << plain.error().message();
  EXPECT_EQ(recomputation_, 0);
  const int64_t all = memory_bytes_;
  int64_t least = all;
  for (const double share : {0.95, 0.8, 0.7}) {
    const auto lean = TwoSteps(Within(static_cast<int64_t>(share * all)));
    if (!lean) break;
    EXPECT_GT(recomputation_, 0);
    EXPECT_LE(memory_bytes_, share * all);
    least = memory_bytes_;
    for (size_t i = 0; i < plain->size(); ++i) {
      const Tensor &a = (*plain)[i].data, &b = (*lean)[i].data;
      ASSERT_EQ((*plain)[i].name, (*lean)[i].name);
      EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0) << (*plain)[i].name;
    }
  }
  EXPECT_LT(least, all);
}

TEST_P(Training, SaysWhatMemoryAStepTakesAtLeast) {
  const auto states = TwoSteps(Within(1000));
  ASSERT_FALSE(states);
  EXPECT_EQ(states.error().kind(), ErrorKind::kUnmet);
}

// Without normalisation over the batch the parts add up to the whole.
TEST_P(Training, PartsOfABatchAddUp) {
  if (std::string(GetParam()) == "cnn") GTEST_SKIP() << "its normalisations see one part at a time";
  for (const float ema : {0.0f, 0.9f}) {
    train::ProgramOptions options;
    options.optimizer.ema = ema;
    const auto whole = TwoSteps(options);
    ASSERT_TRUE(whole) << whole.error().message();
    options.parts = 2;
    const auto parts = TwoSteps(options);
    ASSERT_TRUE(parts) << parts.error().message();
    std::map<std::string, Tensor> by_name;
    for (const train::State& state : *parts) by_name.emplace(state.name, state.data);
    for (const train::State& state : *whole) {
      SCOPED_TRACE(state.name);
      ExpectNear(by_name.at(state.name), state.data, 1e-4);
    }
  }
}

TEST_P(Training, RefusesPartsThatDontDivideTheBatch) {
  train::ProgramOptions options;
  options.batch = 8;
  options.parts = 3;
  const auto program = train::Program::Make(graph_, objective_, model::Context::Make(1), options);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().kind(), ErrorKind::kUsage);
}

INSTANTIATE_TEST_SUITE_P(All, Training, testing::Values("cnn", "encoder"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace pare
