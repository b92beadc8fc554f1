// The main job in process, on the demo's model and pictures: int8 that is near float, the same bits
// on every instruction set, thread count and batch size, before and after the file.
#include "compress/quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/test_progress.h"
#include "onnx/export.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "running.h"

namespace pare {
namespace {

constexpr char kModel[] = "examples/demo/resnet20_cifar10_fp32.onnx";
constexpr char kPictures[] = "examples/demo/cifar10_test_2000.bin";

class QuantizeTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    model_ = new model::Model(model::Model::Load(SourcePath(kModel)).value());
    dataset_ = data::OpenDataset(SourcePath(kPictures)).value();
    EXPECT_TRUE(preprocess_.Set("mean", "0.485,0.456,0.406"));
    EXPECT_TRUE(preprocess_.Set("std", "0.229,0.224,0.225"));
  }
  static void TearDownTestSuite() { delete model_; }

  // Few samples, and nothing that is decided by time.
  static compress::QuantizeOptions Options() {
    compress::QuantizeOptions options;
    options.keep_slow_layers = true;
    options.split.calibration = 60;
    options.split.verification = 200;
    return options;
  }
  static Result<compress::Quantized> Quantize(const compress::QuantizeOptions& options) {
    SilentProgress progress;
    return compress::Quantize(model_->graph(), dataset_, preprocess_, model::Context::Make(2),
                              options, progress);
  }
  // The model as if it had been trained in float16: weights, inputs and outputs.
  static graph::Graph InFloat16() {
    graph::Graph narrow = model_->graph();
    for (size_t i = 0; i < narrow.value_count(); ++i) {
      const auto id = static_cast<graph::ValueId>(i);
      if (!narrow.is_constant(id) || narrow.value(id).data.dtype() != DType::kF32) continue;
      narrow.SetConstant(id, Cast(narrow.value(id).data, DType::kF16).value());
    }
    const graph::ValueId input = narrow.inputs()[0];
    narrow.SetType(input, {DType::kF16, narrow.value(input).type.shape});
    EXPECT_TRUE(ops::InferTypes(narrow));
    return narrow;
  }
  static data::Loader Load(int64_t batch, std::vector<int64_t> samples) {
    return data::Loader::Make(dataset_, model::InputSpecs(model_->graph()), std::move(samples),
                              {.batch = batch, .preprocess = preprocess_, .prefetch = false})
        .value();
  }
  // The outputs for eight pictures, one after the other.
  static std::vector<float> Answers(const graph::Graph& graph, const model::Context& context,
                                    int64_t batch) {
    auto session = model::MakeSession(graph, context).value();
    data::Loader loader = Load(batch, {0, 250, 500, 750, 1000, 1250, 1500, 1750});
    std::vector<float> answers;
    while (true) {
      const auto next = loader.Next().value();
      if (!next) return answers;
      std::vector<Tensor> outputs(1);
      EXPECT_TRUE(session->Run(next->inputs, outputs));
      const auto values = outputs[0].as<float>();
      answers.insert(answers.end(), values.begin(), values.end());
    }
  }

  static inline model::Model* model_ = nullptr;
  static inline std::shared_ptr<const data::Dataset> dataset_;
  static inline data::Preprocess preprocess_;
};

TEST_F(QuantizeTest, LosesLittleAndGivesTheSameBitsEverywhere) {
  const auto quantized = Quantize(Options());
  ASSERT_TRUE(quantized) << quantized.error().message();
  SilentProgress progress;
  const model::Context two = model::Context::Make(2);
  const auto a = model::MakeSession(model_->graph(), two).value();
  const auto b = model::MakeSession(quantized->graph, two).value();
  data::Loader loader = Load(4, quantized->split.verification);
  const auto quality = compress::CompareQuality(*a, *b, loader, compress::Metric::kAuto, progress);
  ASSERT_TRUE(quality) << quality.error().message();
  EXPECT_EQ(quality->count, 200);
  EXPECT_GT(*quality->top1_a, 85);
  EXPECT_LE(*quality->drop(), 1.5);
  EXPECT_GT(*quality->agreement, 96);

  const std::vector<float> answers = Answers(quantized->graph, two, 1);
  ASSERT_EQ(answers.size(), 80u);
  EXPECT_EQ(answers, Answers(quantized->graph, two, 4));
  EXPECT_EQ(answers, Answers(quantized->graph, model::Context::Make(1), 8));
  for (int isa = 0; isa < static_cast<int>(Isa::kCount); ++isa) {
    model::Context context = two;
    if (!context.cpu.has(static_cast<Isa>(isa))) continue;
    context.cpu = LimitTo(context.cpu, static_cast<Isa>(isa));
    EXPECT_EQ(answers, Answers(quantized->graph, context, 2)) << IsaName(static_cast<Isa>(isa));
  }

  const std::string path = ::testing::TempDir() + "/resnet20_int8.onnx";
  ASSERT_TRUE(onnx::Export(quantized->graph, path));
  const auto again = model::Model::Load(path);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(answers, Answers(again->graph(), two, 1));
  EXPECT_LT(again->file_bytes(), 0.31 * static_cast<double>(model_->file_bytes()));
}

TEST_F(QuantizeTest, KeepFloatAndOverflowSafeAreHeld) {
  compress::QuantizeOptions options = Options();
  // Layers go by their names in reports, too: behind the clamp that a convolution absorbs.
  options.keep_float = {"/layer1/*", "Gemm", "/layer2/layer2.0/Relu_output_0"};
  options.overflow_safe = compress::OverflowSafe::kAlways;
  options.calibrator = compress::Calibrator::kMinMax;
  const auto quantized = Quantize(options);
  ASSERT_TRUE(quantized) << quantized.error().message();
  int kept = 0, seven = 0;
  for (const compress::LayerReport& layer : quantized->layers) {
    const bool named = layer.op == "Conv" && layer.name.starts_with("/layer2/layer2.0/bn1");
    if (named || layer.name.starts_with("/layer1/") || layer.op == "Gemm") {
      EXPECT_EQ(layer.precision, "float32") << layer.name;
      EXPECT_FALSE(layer.reason.empty()) << layer.name;
      ++kept;
    }
    EXPECT_NE(layer.precision + layer.op, "int8Conv") << layer.name;
    seven += layer.precision == "int7";
  }
  EXPECT_GT(kept, 6);
  EXPECT_GT(seven, 10);
}

TEST_F(QuantizeTest, SevenBitWeightsAnswerAlikeWhereProductsSaturate) {
  const model::Context exact = model::Context::Make(2);
  model::Context saturating = exact;
  saturating.saturating = true;
  compress::QuantizeOptions options = Options();
  options.split.calibration = options.split.verification = 20;
  options.calibrator = compress::Calibrator::kMinMax;
  options.overflow_safe = compress::OverflowSafe::kAlways;
  const auto seven = Quantize(options);
  ASSERT_TRUE(seven) << seven.error().message();
  EXPECT_EQ(Answers(seven->graph, saturating, 1), Answers(seven->graph, exact, 1));

  options.overflow_safe = compress::OverflowSafe::kNever;
  const auto eight = Quantize(options);
  ASSERT_TRUE(eight) << eight.error().message();
  const std::vector<float> answers = Answers(eight->graph, saturating, 1);
  EXPECT_NE(answers, Answers(eight->graph, exact, 1));
  saturating.cpu = LimitTo(exact.cpu, Isa::kScalar);
  EXPECT_EQ(answers, Answers(eight->graph, saturating, 4));
}

TEST_F(QuantizeTest, AFloat16ModelBecomesInt8BehindItsOwnInterface) {
  SilentProgress progress;
  const graph::Graph narrow = InFloat16();
  const model::Context context = model::Context::Make(2);
  compress::QuantizeOptions options = Options();
  const auto quantized =
      compress::Quantize(narrow, dataset_, preprocess_, context, options, progress);
  ASSERT_TRUE(quantized) << quantized.error().message();
  const std::string path = ::testing::TempDir() + "/resnet20_f16_int8.onnx";
  ASSERT_TRUE(onnx::Export(quantized->graph, path));
  const auto again = model::Model::Load(path);
  ASSERT_TRUE(again) << again.error().message();
  const graph::Graph& graph = again->graph();
  EXPECT_EQ(graph.value(graph.inputs()[0]).type.dtype, DType::kF16);
  EXPECT_EQ(graph.value(graph.outputs()[0].value).type.dtype, DType::kF16);
  EXPECT_EQ(graph.outputs()[0].name, narrow.outputs()[0].name);

  compress::CompareOptions how;
  how.layer_samples = 2;
  how.timing.seconds = 0;
  const auto compared =
      compress::Compare({narrow, 1}, {graph, 1}, dataset_, quantized->split.verification,
                        preprocess_, context, how, progress);
  ASSERT_TRUE(compared) << compared.error().message();
  EXPECT_GT(*compared->quality.top1_a, 85);
  EXPECT_LE(*compared->quality.drop(), 1.5);
  const auto& layers = compared->layers;
  const auto near = std::count_if(layers.begin(), layers.end(), [](const auto& layer) {
    return layer.precision == "int8" && layer.snr_db > 10;
  });
  EXPECT_GT(near, 15);
  // One row a layer under the name that the decision gave it, that of the output, too.
  std::map<std::string, int> rows;
  for (const auto& layer : layers) ++rows[layer.name];
  for (const auto& decided : quantized->layers) EXPECT_EQ(rows[decided.name], 1) << decided.name;
  EXPECT_EQ(layers.back().name, graph.outputs()[0].name);
  EXPECT_EQ(layers.back().op, "Gemm");
  EXPECT_GT(layers.back().snr_db.value_or(0), 10);
  EXPECT_EQ(compress::ListLayers(narrow, narrow)[0].precision, "float16");
}

TEST_F(QuantizeTest, AnUnreachableMaxDropIsUnmet) {
  compress::QuantizeOptions options = Options();
  options.keep_float = {"*"};
  const auto nothing = Quantize(options);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().kind(), ErrorKind::kUsage);

  options = Options();
  options.calibrator = compress::Calibrator::kMinMax;
  options.equalization = options.bias_correction = false;
  options.split.calibration = 4;
  options.split.verification = 50;
  options.max_drop = -100.0;  // to gain a hundred points is more than can be asked
  const auto unmet = Quantize(options);
  ASSERT_FALSE(unmet);
  EXPECT_EQ(unmet.error().kind(), ErrorKind::kUnmet) << unmet.error().message();
}

TEST_F(QuantizeTest, WhatSteeredMaxDropDoesNotVerifyIt) {
  std::vector<int64_t> first(212);
  std::iota(first.begin(), first.end(), int64_t{0});
  const Tensor pictures = Load(212, first).Next().value()->inputs[0];
  const auto unlabelled = data::DatasetOf({{"", pictures}}, {}).value();
  compress::QuantizeOptions options = Options();
  options.calibrator = compress::Calibrator::kMinMax;
  options.equalization = options.bias_correction = false;
  options.split.calibration = 4;
  options.max_drop = 0.0;  // every answer as the float model's
  struct Case {
    int64_t verification, left;
    const char* note;
  };
  for (const Case& c : {Case{208, 104, "104 others verify"}, {60, 60, "fewer than 100"}}) {
    options.split.verification = c.verification;
    NotesHeard notes;
    const auto held = compress::Quantize(model_->graph(), unlabelled, {}, model::Context::Make(2),
                                         options, notes);
    ASSERT_TRUE(held) << held.error().message();
    EXPECT_EQ(std::ssize(held->split.verification), c.left);
    EXPECT_NE(notes.all().find(c.note), std::string::npos) << notes.all();
    const auto back = std::count_if(
        held->layers.begin(), held->layers.end(),
        [](const auto& layer) { return layer.reason.starts_with("given back to hold"); });
    EXPECT_GE(back, 1);
    EXPECT_LT(back, std::ssize(held->layers));
  }
}

TEST_F(QuantizeTest, AQuantizedModelIsRefused) {
  const auto quantized = model::Model::Load(SourcePath("tests/models/qdq_cnn.onnx"));
  ASSERT_TRUE(quantized);
  SilentProgress progress;
  const auto again = compress::Quantize(quantized->graph(), dataset_, preprocess_,
                                        model::Context::Make(1), Options(), progress);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind(), ErrorKind::kUnsupported);
}

// How many samples each stage looks at.
struct Stages : SilentProgress {
  void Stage(std::string_view what, int64_t total) override { totals[std::string(what)] = total; }
  std::map<std::string, int64_t> totals;
};

TEST_F(QuantizeTest, LooksAtTheSameSamplesInBatchesOfAnySize) {
  std::vector<int64_t> gradients;
  for (const int64_t batch : {1, 16}) {
    compress::QuantizeOptions options = Options();
    options.batch = batch;
    options.split.calibration = 400;
    options.bias_correction = false;
    Stages stages;
    const auto quantized = compress::Quantize(model_->graph(), dataset_, preprocess_,
                                              model::Context::Make(2), options, stages);
    ASSERT_TRUE(quantized) << quantized.error().message();
    gradients.push_back(stages.totals.at("looking at gradients"));
    EXPECT_EQ(stages.totals.at("choosing ranges"), 4);
  }
  EXPECT_GT(gradients[0], 32);
  EXPECT_LT(gradients[0], 300);  // this model's work allows no more
  EXPECT_EQ(gradients[0], gradients[1]);
}

// One sample in a hundred is thirty times as large as the others, and the mean error is that of
// these: what `auto` chooses must not cut them.
TEST(QuantizeValues, KeepsWhatIsLargeAndRare) {
  const auto graph = graph::Parse(R"(opset 17
input x: f32[N,2]
const w0: f32[2,3] = [1, -0.4, 0.3, 0.2, 0.9, -0.6]
const w1: f32[3,1] = [0.8, -0.5, 0.7]
h: f32[N,3] = MatMul(x, w0)
r: f32[N,3] = Relu(h)
y: f32[N,1] = MatMul(r, w1)
output y
)");
  ASSERT_TRUE(graph) << graph.error().message();
  const TestFolder folder;
  std::string rows = "a,b\n";
  for (int i = 0; i < 1300; ++i) {
    const double size = i % 100 == 50 ? 30 + std::sin(i) : 1;
    rows += Text(size * std::sin(i), ',', size * std::cos(3 * i), '\n');
  }
  const std::shared_ptr<const data::Dataset> dataset =
      data::OpenDataset(folder.Write("x.csv", rows)).value();
  const model::Context context = model::Context::Make(2);
  const auto error = [&](compress::Calibrator calibrator, uint64_t seed) -> double {
    compress::QuantizeOptions options;
    options.calibrator = calibrator;
    options.keep_slow_layers = true;
    options.split.seed = seed;
    SilentProgress progress;
    const auto quantized = compress::Quantize(*graph, dataset, {}, context, options, progress);
    EXPECT_TRUE(quantized) << quantized.error().message();
    const auto a = model::MakeSession(*graph, context).value();
    const auto b = model::MakeSession(quantized->graph, context).value();
    data::Loader loader =
        data::Loader::Make(dataset, model::InputSpecs(*graph), quantized->split.verification,
                           {.batch = 1, .preprocess = {}, .prefetch = false})
            .value();
    return *compress::CompareQuality(*a, *b, loader, compress::Metric::kMse, progress)->mse;
  };
  for (const uint64_t seed : {0, 1, 2, 3}) {
    EXPECT_LE(error(compress::Calibrator::kAuto, seed),
              1.5 * error(compress::Calibrator::kMinMax, seed))
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace pare
