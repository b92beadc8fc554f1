#include "train/train.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "base/test_progress.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "train/testing.h"

namespace pare::train {
namespace {

constexpr int64_t kSamples = 192;

Result<Trained> TrainSmall(const TrainOptions& options, int threads = 1, Score score = {}) {
  LabelObjective objective;
  SilentProgress progress;
  return Train(SmallClassifier(), ThreeClouds(kSamples), FirstIndices(kSamples), {}, objective,
               score, model::Context::Make(threads), options, progress);
}

void ExpectSameWeights(const graph::Graph& a, const graph::Graph& b) {
  for (const char* name : {"w1", "b1", "w2", "b2"}) {
    const Tensor& x = a.value(a.FindValue(name)).data;
    const Tensor& y = b.value(b.FindValue(name)).data;
    EXPECT_TRUE(graph::SameTensor(x, y)) << name;
  }
}

TEST(Train, LearnsWhatCanBeLearned) {
  const auto trained = TrainSmall(SomeOptions());
  ASSERT_TRUE(trained) << trained.error().message();
  ASSERT_EQ(trained->history.size(), 4);
  EXPECT_EQ(trained->steps, 4 * kSamples / 16);
  EXPECT_LT(trained->history.back().loss, 0.5 * trained->history.front().loss);
  EXPECT_LT(trained->history.back().loss, 0.2);
}

TEST(Train, GivesTheSameBitsOnAnyNumberOfThreads) {
  for (const OptimizerKind kind : {OptimizerKind::kSgd, OptimizerKind::kAdamW}) {
    TrainOptions options = SomeOptions();
    options.program.optimizer.kind = kind;
    options.program.optimizer.weight_decay = 1e-3f;
    options.program.optimizer.clip_norm = 1;
    const auto one = TrainSmall(options, 1), two = TrainSmall(options, 2);
    ASSERT_TRUE(one && two);
    ExpectSameWeights(one->graph, two->graph);
  }
}

TEST(Train, GoesOnToTheSameBits) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.program.optimizer.ema = 0.9f;
  const auto whole = TrainSmall(options);
  ASSERT_TRUE(whole);
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  for (const int64_t steps : {7, 20}) {
    LabelObjective objective;
    StopAfter progress(steps);
    const auto stopped = Train(SmallClassifier(), ThreeClouds(kSamples), FirstIndices(kSamples), {},
                               objective, {}, model::Context::Make(2), options, progress);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().kind(), ErrorKind::kCancelled);
  }
  const auto resumed = TrainSmall(options);
  ASSERT_TRUE(resumed) << resumed.error().message();
  ExpectSameWeights(whole->graph, resumed->graph);
  ASSERT_EQ(whole->history.size(), resumed->history.size());
  for (size_t i = 0; i < whole->history.size(); ++i)
    EXPECT_EQ(whole->history[i].loss, resumed->history[i].loss);
}

TEST(Train, RefusesTheCheckpointOfAnotherRun) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.checkpoint = folder / "run.npz";
  ASSERT_TRUE(TrainSmall(options));
  options.resume = true;
  options.seed = 4;
  const auto other = TrainSmall(options);
  ASSERT_FALSE(other);
  const std::string error = other.error().message();
  EXPECT_NE(error.find("--seed: the checkpoint was made with 3, this run has 4"), std::string::npos)
      << error;
  EXPECT_NE(error.find("another --checkpoint, without --resume"), std::string::npos) << error;
}

TEST(Train, KeepsWhatWasDecidedBeforeIt) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.epochs = 1;
  options.checkpoint = folder / "run.npz";
  options.decisions = std::string("4:a\nb\0\ndecided ", 16);
  ASSERT_TRUE(TrainSmall(options));
  const auto decisions = DecisionsIn(options.checkpoint);
  ASSERT_TRUE(decisions) << decisions.error().message();
  EXPECT_EQ(*decisions, options.decisions);
  options.resume = true;
  EXPECT_TRUE(TrainSmall(options));
  options.decisions = "";
  EXPECT_FALSE(TrainSmall(options));
}

TEST(Train, ReplacesNoCheckpointUnasked) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.epochs = 1;
  options.checkpoint = folder / "run.npz";
  ASSERT_TRUE(TrainSmall(options));
  const std::string before = ReadFile(options.checkpoint).value();
  const auto again = TrainSmall(options);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message().find("--resume"), std::string::npos);
  EXPECT_EQ(before, ReadFile(options.checkpoint).value());
}

// One bit of the weights, as a disk that ages flips it.
TEST(Train, RefusesADamagedCheckpoint) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.epochs = 1;
  options.checkpoint = folder / "run.npz";
  ASSERT_TRUE(TrainSmall(options));
  const auto w1 = data::LoadNpz(options.checkpoint).value();
  std::string bytes = ReadFile(options.checkpoint).value();
  const auto at =
      std::find_if(w1.begin(), w1.end(), [](const auto& a) { return a.first == "now/w1"; });
  ASSERT_NE(at, w1.end());
  const std::string_view content(reinterpret_cast<const char*>(at->second.data()),
                                 at->second.bytes());
  const size_t place = bytes.find(content);
  ASSERT_NE(place, std::string::npos);
  bytes[place] = static_cast<char>(bytes[place] ^ 1);
  folder.Write("run.npz", bytes);
  options.resume = true;
  const auto resumed = TrainSmall(options);
  ASSERT_FALSE(resumed);
  EXPECT_NE(resumed.error().message().find("checksum"), std::string::npos)
      << resumed.error().message();
  folder.Write("run.npz", bytes.substr(0, bytes.size() / 2));
  const auto cut_off = TrainSmall(options);
  ASSERT_FALSE(cut_off);
  for (const Error& error : {resumed.error(), cut_off.error()}) {
    EXPECT_NE(error.message().find(options.checkpoint), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("remove the file to begin anew"), std::string::npos)
        << error.message();
  }
}

// Whatever moves the result makes another run.
TEST(Train, RefusesTheCheckpointOfOtherOptions) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.epochs = 1;
  options.checkpoint = folder / "run.npz";
  ASSERT_TRUE(TrainSmall(options));
  options.resume = true;
  ASSERT_TRUE(TrainSmall(options));
  struct Change {
    std::function<void(TrainOptions&)> change;
    std::string_view said;
  };
  const Change changes[] = {
      {[](TrainOptions& o) { o.epochs = 2; },
       "--epochs: the checkpoint was made with 1, this run has 2\n"},
      {[](TrainOptions& o) { o.steps = 12; },
       "--steps: the checkpoint was made with none, this run has 12; --epochs: the checkpoint was "
       "made with 1, this run has none\n"},
      {[](TrainOptions& o) {
         o.schedule.rate = 0.1f;
         o.program.optimizer.ema = 0.5f;
       },
       "--rate: the checkpoint was made with 0.2, this run has 0.1; --ema: the checkpoint was "
       "made with 0, this run has 0.5\n"},
      {[](TrainOptions& o) { o.tries_rates = true; },
       "--rate: the checkpoint was made with 0.2, this run has trials around 0.2\n"},
      {[](TrainOptions& o) { o.program.parameters.freeze = {"b1"}; },
       "--freeze: the checkpoint was made with none, this run has b1\n"},
      {[](TrainOptions& o) { o.program.parameters.only = {"w*", "b*"}; },
       "--train-only: the checkpoint was made with none, this run has w* b*\n"},
      {[](TrainOptions& o) { o.program.keep_zeros = true; }, "--keep-zeros: "},
      {[](TrainOptions& o) { o.program.optimizer.nesterov = true; },
       "--nesterov: the checkpoint was made with off, this run has on\n"},
      {[](TrainOptions& o) { o.program.optimizer.no_decay = {"w1"}; }, "--no-decay: "},
      {[](TrainOptions& o) { o.validate_every = 5; },
       "--validate-every: the checkpoint was made with each epoch, this run has 5\n"},
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    TrainOptions other = options;
    changes[i].change(other);
    const auto trained = TrainSmall(other);
    ASSERT_FALSE(trained) << "change " << i;
    const std::string error = trained.error().message();
    EXPECT_NE(error.find(Text("another run: ", changes[i].said)), std::string::npos) << error;
  }
}

// The same options with an objective, data, a model or preprocessing of another kind.
TEST(Train, RefusesTheCheckpointOfOtherThings) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.epochs = 1;
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  SilentProgress progress;
  const auto message = [&](const graph::Graph& graph, int64_t first, float smoothing,
                           const data::Preprocess& preprocess) {
    LabelObjective objective({.smoothing = smoothing});
    std::vector<int64_t> indices = FirstIndices(kSamples - 2);
    indices[0] = first;
    const auto trained = Train(graph, ThreeClouds(kSamples), indices, preprocess, objective, {},
                               model::Context::Make(1), options, progress);
    return trained ? "" : trained.error().message();
  };
  const graph::Graph model = SmallClassifier();
  ASSERT_EQ(message(model, 0, 0, {}), "");
  EXPECT_EQ(message(model, 0, 0, {}), "");
  EXPECT_NE(message(model, 0, 0.1f, {}).find("--smoothing: the checkpoint was made with 0, "),
            std::string::npos);
  EXPECT_NE(message(model, kSamples - 1, 0, {}).find("--seed): not what the checkpoint was made"),
            std::string::npos);
  EXPECT_NE(message(model, 0, 0, {.scale = 2}).find("--scale: the checkpoint was made with "),
            std::string::npos);
  graph::Graph other = model;
  other.SetConstant(other.FindValue("b1"), Tensor::Of<float>({16}, std::vector<float>(16, 1)));
  EXPECT_NE(message(other, 0, 0, {}).find("another run: the model as it is trained: not what the "),
            std::string::npos)
      << message(other, 0, 0, {});
}

// One number of one of many samples.
TEST(Train, RefusesTheCheckpointOfOtherData) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.epochs = 1;
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  const auto error = [&](float added) {
    Tensor points = Tensor::Make(DType::kF32, {kSamples, 2}).value();
    std::vector<int64_t> labels;
    for (int64_t i = 0; i < kSamples; ++i) {
      labels.push_back(i % 3);
      for (int axis : {0, 1}) points.mutable_as<float>()[2 * i + axis] = 0.1f * (i % 7 + axis);
    }
    points.mutable_as<float>()[3] += added;
    LabelObjective objective;
    SilentProgress progress;
    const auto trained = Train(
        SmallClassifier(), data::DatasetOf({{.name = "", .tensor = points}}, labels).value(),
        FirstIndices(kSamples), {}, objective, {}, model::Context::Make(1), options, progress);
    return trained ? "" : trained.error().message();
  };
  ASSERT_EQ(error(0), "");
  EXPECT_EQ(error(0), "");
  EXPECT_NE(error(1).find("another run: the data: not what the checkpoint was made with"),
            std::string::npos)
      << error(1);
}

// A run that patience ended is over, and stays so.
TEST(Train, DoesNotGoOnBehindItsEnd) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.epochs = 50;
  options.patience = 2;
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  const Score score = [](const graph::Graph&) -> Result<Scored> { return Scored{0.5}; };
  const auto whole = TrainSmall(options, 1, score), again = TrainSmall(options, 1, score);
  ASSERT_TRUE(whole && again);
  EXPECT_EQ(again->steps, whole->steps);
  EXPECT_EQ(again->history.size(), whole->history.size());
  ExpectSameWeights(whole->graph, again->graph);
}

TEST(Train, RefusesToAugmentWhatIsNoPictureBeforeItWorks) {
  TrainOptions options = SomeOptions();
  options.augment.mixup = 0.2f;
  const auto trained = TrainSmall(options, 1, [](const graph::Graph&) -> Result<Scored> {
    ADD_FAILURE() << "it scores the start";
    return Scored{};
  });
  ASSERT_FALSE(trained);
  EXPECT_NE(trained.error().message().find("no batch of pictures"), std::string::npos)
      << trained.error().message();
}

// Of a run that goes on, too.
TEST(Train, TellsWhichSamplesWereRight) {
  const TestFolder folder;
  TrainOptions options = SomeOptions();
  options.epochs = 1;
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  int calls = 0;
  const Score score = [&](const graph::Graph&) -> Result<Scored> {
    const bool first = calls++ == 0;
    return Scored{.score = first ? 50.0 : 100, .right = {true, !first}};
  };
  for (const char* run : {"new", "resumed"}) {
    const auto trained = TrainSmall(options, 1, score);
    ASSERT_TRUE(trained) << trained.error().message();
    EXPECT_EQ(trained->start_right, (std::vector<bool>{true, false})) << run;
    EXPECT_EQ(trained->best_right, (std::vector<bool>{true, true})) << run;
  }
  EXPECT_EQ(calls, 2);
}

TEST(Train, KeepsTheBestWeights) {
  int64_t calls = 0;
  std::vector<graph::Graph> seen;
  const Score score = [&](const graph::Graph& graph) -> Result<Scored> {
    seen.push_back(graph);
    return Scored{++calls == 3 ? 1.0 : 0.0};  // after the start, the second validation is the best
  };
  const auto trained = TrainSmall(SomeOptions(), 1, score);
  ASSERT_TRUE(trained);
  EXPECT_EQ(trained->best_step, 2 * kSamples / 16);
  ExpectSameWeights(trained->graph, seen[2]);
}

// A share of few samples can't tell a network from another whose answers are far worse.
TEST(Train, KeepsTheLowestLossAmongScoresThatTellNothing) {
  struct Validated {
    double score, loss;
  };
  TrainOptions options = SomeOptions();
  options.validate_every = 2;
  const auto best_of = [&](const std::vector<Validated>& validations) {
    size_t calls = 0;
    options.steps = 2 * (std::ssize(validations) - 1);  // the first is of the start
    const auto trained = TrainSmall(options, 1, [&](const graph::Graph&) -> Result<Scored> {
      const Validated& now = validations[calls++];
      return Scored{now.score, now.loss, 10};
    });
    EXPECT_TRUE(trained);
    EXPECT_EQ(calls, validations.size());
    EXPECT_EQ(trained->best_score, validations[trained->best_step / 2].score);
    EXPECT_EQ(trained->history.back().validation_loss, validations.back().loss);
    return trained->best_step / 2;
  };
  EXPECT_EQ(best_of({{50, 3}, {50, 2}, {50, 2.5}}), 1) << "a tie";
  EXPECT_EQ(best_of({{50, 3}, {50, 3}, {51, 3}}), 2) << "a tie of losses";
  EXPECT_EQ(best_of({{10, 3}, {80, 0.5}, {90, 2}}), 1) << "a margin";
  EXPECT_EQ(best_of({{10, 3}, {80, 0.5}, {90.5, 2}}), 2) << "more than that";
  EXPECT_EQ(best_of({{10, 3}, {80, 0.5}, {69.5, 0.4}}), 1) << "clearly worse, whatever its loss";
  // The margin is that of the highest score, not of the one that is kept: scores can't sink by it
  // again and again.
  EXPECT_EQ(best_of({{90, 3}, {81, 2}, {72, 1}}), 1);
}

TEST(Train, RescuesTheBestWeightsOfARunThatIsStopped) {
  TrainOptions options = SomeOptions();
  options.validate_every = 5;
  double score = 0;  // each validation is better than the one before
  std::optional<graph::Graph> best;
  options.rescue = [&](const Trained& trained) -> Result<std::string> {
    EXPECT_EQ(trained.best_step, 5);
    best = trained.graph;
    return std::string("best.onnx");
  };
  LabelObjective objective;
  const auto run = [&](int64_t steps, Progress& progress) {
    options.steps = steps;
    return Train(
        SmallClassifier(), ThreeClouds(kSamples), FirstIndices(kSamples), {}, objective,
        [&](const graph::Graph&) -> Result<Scored> { return Scored{++score}; },
        model::Context::Make(1), options, progress);
  };
  StopAfter early(3);
  ASSERT_FALSE(run(12, early));
  EXPECT_FALSE(best) << "the weights of the start were there before";
  StopAfter late(7);
  const auto stopped = run(12, late);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind(), ErrorKind::kCancelled);
  EXPECT_NE(stopped.error().message().find("(step 5, validation"), std::string::npos)
      << stopped.error().message();
  EXPECT_NE(stopped.error().message().find("are in best.onnx"), std::string::npos);
  ASSERT_TRUE(best);
  EXPECT_FALSE(graph::SameTensor(best->value(best->FindValue("w1")).data,
                                 SmallClassifier().value(SmallClassifier().FindValue("w1")).data));
}

TEST(Train, MakesASmallerBatchOfTooFewSamples) {
  TrainOptions options = SomeOptions();
  options.program.batch = 100;
  options.program.parts = 4;
  options.steps = 2;
  LabelObjective objective;
  SilentProgress progress;
  const auto run = [&](int64_t samples) {
    return Train(SmallClassifier(), ThreeClouds(kSamples), FirstIndices(samples), {}, objective, {},
                 model::Context::Make(1), options, progress);
  };
  const auto few = run(42);
  ASSERT_TRUE(few) << few.error().message();
  EXPECT_EQ(few->batch, 40);
  EXPECT_EQ(few->steps, 2);
  options.program.parts = 3;  // doesn't divide the batch, however few the samples
  EXPECT_FALSE(run(42));
  options.program.parts = 4;
  const auto none = run(3);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message().find("3 samples to train on"), std::string::npos);
}

TEST(Train, StopsWhereNothingGainsAnyMore) {
  TrainOptions options = SomeOptions();
  options.epochs = 50;
  options.patience = 2;
  const auto trained =
      TrainSmall(options, 1, [](const graph::Graph&) -> Result<Scored> { return Scored{0.5}; });
  ASSERT_TRUE(trained);
  EXPECT_EQ(trained->history.size(), 2);
  EXPECT_EQ(trained->best_step, 0);  // the start is as good
}

TEST(Train, LeavesFrozenWeightsAlone) {
  TrainOptions options = SomeOptions();
  options.program.parameters.freeze = {"w1", "b*"};
  const auto trained = TrainSmall(options);
  ASSERT_TRUE(trained);
  const graph::Graph before = SmallClassifier();
  const auto changed = [&](const char* name) {
    return !graph::SameTensor(before.value(before.FindValue(name)).data,
                              trained->graph.value(trained->graph.FindValue(name)).data);
  };
  EXPECT_FALSE(changed("w1"));
  EXPECT_FALSE(changed("b2"));
  EXPECT_TRUE(changed("w2"));
}

TEST(Train, NamesTheNodeWhereTheLossIsLost) {
  graph::Graph graph = SmallClassifier();
  Tensor broken = Tensor::Of<float>({3}, {0, INFINITY, -INFINITY});
  graph.SetConstant(graph.FindValue("b2"), broken);
  LabelObjective objective;
  SilentProgress progress;
  const auto trained = Train(graph, ThreeClouds(kSamples), FirstIndices(kSamples), {}, objective,
                             {}, model::Context::Make(1), SomeOptions(), progress);
  ASSERT_FALSE(trained);
  EXPECT_NE(trained.error().message().find("layer y"), std::string::npos)
      << trained.error().message();
}

Result<Trained> TrainText(const char* text, const Tensor& samples, const TrainOptions& options,
                          int threads = 1) {
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  const int64_t count = samples.shape()[0];
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < count; ++i) labels.push_back(i % 3);
  const auto dataset = data::DatasetOf({{.name = "", .tensor = samples}}, labels).value();
  LabelObjective objective;
  SilentProgress progress;
  return Train(*graph, dataset, FirstIndices(count), {}, objective, {},
               model::Context::Make(threads), options, progress);
}

Tensor Noise(const Dims& shape) {
  Tensor noise = Tensor::Make(DType::kF32, shape).value();
  Random random(5);
  for (float& x : noise.mutable_as<float>()) x = random.Normal();
  return noise;
}

// What is masked by −∞ is so in each healthy step.
TEST(Train, DoesNotNameAMaskWhereTheLossIsLost) {
  constexpr char kMasked[] = R"(
input x: f32[N,4]
const masked: bool[4] = [0,1,0,0]
const never: f32[1] = [-inf]
const w1: f32[4,4] = random(1, -1, 1)
const big: f32[1] = [GAIN]
const w2: f32[4,3] = random(2, -1, 1)
h = MatMul(x, w1)
scores = Where(masked, never, h)
p = Softmax(scores) {axis=-1}
wide = Mul(p, big)
wider = Mul(wide, big)
y = MatMul(wider, w2)
output y
)";
  const auto with_gain = [&](std::string_view gain) {
    std::string text = kMasked;
    text.replace(text.find("GAIN"), 4, gain);
    TrainOptions options = SomeOptions();
    options.steps = 1;
    return TrainText(text.c_str(), Noise({32, 4}), options);
  };
  const auto healthy = with_gain("2"), lost = with_gain("3e37");
  EXPECT_TRUE(healthy) << healthy.error().message();
  ASSERT_FALSE(lost);
  EXPECT_NE(lost.error().message().find("layer wider"), std::string::npos)
      << lost.error().message();
}

// The gradient of a step's first part is not finite, that of its last one is.
TEST(Train, NamesTheNodeOfAnEarlierPart) {
  constexpr char kSteep[] = R"(
input x: f32[N,2]
const w1: f32[3,2] = fill(1e-38)
const w2: f32[3,3] = random(2, -30, 30)
h = Gemm(x, w1) {transB=1}
y = Gemm(h, w2) {transB=1}
output y
)";
  TrainOptions options = SomeOptions();
  options.program.batch = 2;
  options.program.parts = 2;
  options.steps = 1;
  Tensor points = Tensor::Zeros(DType::kF32, {2, 2}).value();
  for (float& x : points.mutable_as<float>().first(2)) x = 3e38f;
  for (const uint64_t seed : {0, 1, 2, 3}) {  // in one order or the other
    options.seed = seed;
    const auto trained = TrainText(kSteep, points, options);
    ASSERT_FALSE(trained);
    EXPECT_NE(trained.error().message().find("layer gradient.w1"), std::string::npos)
        << trained.error().message();
  }
}

constexpr char kPictures[] = R"(
input x: f32[N,3,H,W]
const w1: f32[16,3,3,3] = random(1, -0.4, 0.4)
const scale: f32[16] = fill(1)
const bias: f32[16] = fill(0)
const mean: f32[16] = fill(0)
const variance: f32[16] = fill(1)
const w2: f32[16,1,3,3] = random(2, -0.4, 0.4)
const w3: f32[3,16] = random(3, -0.4, 0.4)
c1 = Conv(x, w1) {pads=[1,1,1,1]}
n1 = BatchNormalization(c1, scale, bias, mean, variance)
r1 = Relu(n1)
c2 = Conv(r1, w2) {group=16, pads=[1,1,1,1]}
p = GlobalAveragePool(c2)
f = Flatten(p)
y = Gemm(f, w3) {transB=1}
output y
)";

TEST(Train, BindsFreeDimensionsToTheData) {
  TrainOptions options = SomeOptions();
  options.steps = 3;
  const auto trained = TrainText(kPictures, Noise({32, 3, 12, 10}), options);
  ASSERT_TRUE(trained) << trained.error().message();
  const graph::Graph& graph = trained->graph;
  EXPECT_FALSE((*graph.value(graph.inputs()[0]).type.shape)[2].known());
}

TEST(Train, GivesTheSameBitsOnAnyNumberOfThreadsWithConvolutions) {
  TrainOptions options = SomeOptions();
  options.steps = 5;
  const Tensor noise = Noise({64, 3, 20, 20});
  const auto one = TrainText(kPictures, noise, options, 1);
  const auto three = TrainText(kPictures, noise, options, 3);
  ASSERT_TRUE(one && three);
  for (const char* name : {"w1", "scale", "bias", "mean", "variance", "w2", "w3"}) {
    EXPECT_TRUE(graph::SameTensor(one->graph.value(one->graph.FindValue(name)).data,
                                  three->graph.value(three->graph.FindValue(name)).data))
        << name;
  }
}

// Wide enough for products, rows and normalizations of several tasks each.
constexpr char kEncoder[] = R"(
input x: f32[N,32,64]
const wq: f32[64,64] = random(1, -0.2, 0.2)
const wk: f32[64,64] = random(2, -0.2, 0.2)
const wv: f32[64,64] = random(3, -0.2, 0.2)
const gain: f32[64] = fill(1)
const bias: f32[64] = fill(0)
const up: f32[64,256] = random(4, -0.2, 0.2)
const down: f32[256,64] = random(5, -0.2, 0.2)
const head: f32[64,3] = random(6, -0.4, 0.4)
const tokens: i64[1] = [1]
q = MatMul(x, wq)
k = MatMul(x, wk)
v = MatMul(x, wv)
kt = Transpose(k) {perm=[0,2,1]}
s = MatMul(q, kt)
p = Softmax(s) {axis=-1}
a = MatMul(p, v)
r = Add(x, a)
n = LayerNormalization(r, gain, bias)
u = MatMul(n, up)
g = Gelu(u)
d = MatMul(g, down)
o = Add(n, d)
m = ReduceMean(o, tokens) {keepdims=0}
y = MatMul(m, head)
output y
)";

TEST(Train, GivesTheSameBitsOnAnyNumberOfThreadsWithAttention) {
  TrainOptions options = SomeOptions();
  options.steps = 5;
  options.program.optimizer.kind = OptimizerKind::kAdamW;
  options.program.optimizer.clip_norm = 1;
  const Tensor noise = Noise({64, 32, 64});
  const auto one = TrainText(kEncoder, noise, options, 1);
  ASSERT_TRUE(one) << one.error().message();
  for (int threads : {2, 3}) {
    const auto more = TrainText(kEncoder, noise, options, threads);
    ASSERT_TRUE(more) << more.error().message();
    for (const char* name : {"wq", "wk", "wv", "gain", "bias", "up", "down", "head"}) {
      EXPECT_TRUE(graph::SameTensor(one->graph.value(one->graph.FindValue(name)).data,
                                    more->graph.value(more->graph.FindValue(name)).data))
          << name << " on " << threads;
    }
  }
}

TEST(Train, RefusesAnotherBatchThanTheFiles) {
  constexpr char kFixed[] = R"(
input x: f32[8,4]
const w: f32[3,4] = random(1, -0.4, 0.4)
y = Gemm(x, w) {transB=1}
output y
)";
  TrainOptions options = SomeOptions();
  options.steps = 2;
  const auto refused = TrainText(kFixed, Noise({32, 4}), options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("fixed to 8"), std::string::npos)
      << refused.error().message();
  options.program.parts = 2;
  EXPECT_TRUE(TrainText(kFixed, Noise({32, 4}), options));
}

TEST(Train, RefusesSchedulesThatContradictThemselves) {
  TrainOptions options = SomeOptions();
  options.steps = 5;
  options.schedule.warmup_steps = 5;
  EXPECT_FALSE(TrainSmall(options));
  options.schedule.warmup_steps = 2;
  EXPECT_TRUE(TrainSmall(options));
  options.schedule.kind = ScheduleKind::kOneCycle;
  EXPECT_FALSE(TrainSmall(options));
  options.schedule.warmup_steps = 0;
  EXPECT_TRUE(TrainSmall(options));
  options.patience = 1;
  EXPECT_FALSE(TrainSmall(options));
}

}  // namespace
}  // namespace pare::train
