// The real models of ../shared/assets (or PARE_ASSETS) against what ONNX Runtime answered on inputs
// that tests/assets_expected describes, and their accuracy on labelled pictures. Built with the
// other tests, run by `make test-assets` alone.
#include <fstream>
#include <map>
#include <sstream>

#include "compress/quantize/quantize.h"
#include "compress/score.h"
#include "data/dataset.h"
#include "onnx/export.h"
#include "running.h"

namespace pare {
namespace {

std::string AssetPath(const std::string& below) {
  const char* root = std::getenv("PARE_ASSETS");
  return root ? Text(root, "/", below) : SourcePath("../shared/assets/" + below).string();
}

struct Line {
  std::string role, name, dtype, file;
  Dims shape;
  uint64_t seed = 0;
  float scale = 1, offset = 0;
  int64_t stride = 1;
  double low = 0, high = 0, spread = 0;
};
struct ModelRun {
  std::string model, name;
  std::vector<Line> inputs, outputs;
};
void PrintTo(const ModelRun& run, std::ostream* out) { *out << run.name; }

double Number(const std::string& text) { return text == "-" ? 0 : std::stod(text); }

std::vector<ModelRun> ReadIndex() {
  std::ifstream file(SourcePath("tests/assets_expected/index.tsv"));
  std::string text;
  std::getline(file, text);
  std::vector<ModelRun> runs;
  while (std::getline(file, text)) {
    std::vector<std::string> f;
    std::istringstream fields(text);
    for (std::string field; std::getline(fields, field, '\t');) f.push_back(field);
    Line line{.role = f[2], .name = f[3], .dtype = f[4], .file = f[9], .shape = {}};
    std::istringstream dims(f[5]);
    for (std::string dim; std::getline(dims, dim, ',');) line.shape.push_back(std::stoll(dim));
    line.seed = f[6] == "-" ? 0 : std::stoull(f[6]);
    line.scale = static_cast<float>(Number(f[7]));
    line.offset = static_cast<float>(Number(f[8]));
    line.stride = static_cast<int64_t>(Number(f[10]));
    line.low = Number(f[11]);
    line.high = Number(f[12]);
    line.spread = Number(f[13]);
    std::string name = f[0] + "_" + f[1];
    for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    if (runs.empty() || runs.back().name != name) runs.push_back({f[0], name, {}, {}});
    (line.role == "input" ? runs.back().inputs : runs.back().outputs).push_back(line);
  }
  return runs;
}

// SplitMix64, as the README of tests/assets_expected defines it.
Tensor DrawInput(const Line& line) {
  Tensor tensor = Tensor::Make(DType::kF32, line.shape).value();
  const auto values = tensor.mutable_as<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t z = line.seed + (i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z = z ^ (z >> 31);
    const float u = static_cast<float>(z >> 40) * 0x1p-23f - 1;
    values[i] = u * line.scale + line.offset;
  }
  return line.dtype == "float16" ? Cast(tensor, DType::kF16).value() : tensor;
}

class AssetModels : public ::testing::TestWithParam<ModelRun> {};

TEST_P(AssetModels, AnswerAsExpected) {
  const ModelRun& run = GetParam();
  std::vector<Tensor> inputs;
  for (const Line& line : run.inputs) inputs.push_back(DrawInput(line));
  const auto got = RunModel(AssetPath("models/" + run.model), inputs);
  ASSERT_TRUE(got) << got.error().message();
  ASSERT_EQ(got->size(), run.outputs.size());
  const bool quantized = run.model.find("qdq") != std::string::npos;
  for (size_t o = 0; o < got->size(); ++o) {
    const Line& line = run.outputs[o];
    EXPECT_EQ((*got)[o].shape(), line.shape);
    const double allowed = quantized                 ? 2 * line.spread + 0.02
                           : line.dtype == "float16" ? 5e-3
                                                     : 1e-3;
    const Tensor values = Cast((*got)[o], DType::kF32).value();
    const Tensor want = data::LoadNpy(SourcePath("tests/assets_expected/" + line.file)).value();
    double worst = 0;
    for (int64_t i = 0; i < want.count(); ++i) {
      const double difference = values.as<float>()[i * line.stride] - want.as<float>()[i];
      worst = std::max(worst, std::fabs(difference));
      if (std::isnan(difference)) worst = INFINITY;
    }
    EXPECT_LE(worst, allowed * (line.high - line.low)) << line.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Expected, AssetModels, ::testing::ValuesIn(ReadIndex()),
                         [](const auto& info) { return info.param.name; });

struct Accuracy {
  const char* model;
  const char* data;
  const char* preprocess;  // "field=text;…"
  double top1;
  double within;
  const char* switches = "";  // of passes
};
void PrintTo(const Accuracy& accuracy, std::ostream* out) { *out << accuracy.model; }

constexpr const char* kImageNet = "datasets/imagenet_sample1000_s256.tar";
constexpr const char* kCifar = "datasets/cifar10_test_first1000.bin";
constexpr const char* kTorch = "size=0;mean=0.485,0.456,0.406;std=0.229,0.224,0.225";
constexpr const char* kTensorFlow = "size=0;scale=1/127.5;mean=1;label_offset=1";

// What the MANIFEST of the assets measured for the same pictures. It ran the quantized models as
// they are written, in floats between Q and DQ: so do the rows with kAsWritten. In integers sums
// are rounded once where floats round several times; on the MobileNet of uint8 that moves as many
// answers as it does in other engines that compute so.
constexpr const char* kAsWritten = "-QdqToInteger";
const Accuracy kAccuracies[] = {
    {"cifar10/resnet20_cifar10_fp32.onnx", kCifar, kTorch, 91.5, 0.2},
    {"cifar10/resnet32_cifar10_fp32.onnx", kCifar, kTorch, 92.8, 0.2},
    {"cifar10/resnet44_cifar10_fp32.onnx", kCifar, kTorch, 93.3, 0.2},
    {"cifar10/resnet56_cifar10_fp32.onnx", kCifar, kTorch, 92.6, 0.2},
    {"mlperf_tiny/ic_resnet8_cifar10_fp32.onnx", kCifar, "scale=1", 88.1, 0.2},
    {"mlperf_tiny/ic_resnet8_cifar10_int8_qdq.onnx", kCifar, "scale=1", 87.7, 0.3},
    {"mlperf_tiny/ic_resnet8_cifar10_int8_qdq.onnx", kCifar, "scale=1", 87.7, 0.2, kAsWritten},
    {"imagenet/mobilenetv2_1.0_torchvision_fcrecon_fp32.onnx", kImageNet, kTorch, 82.4, 0.2},
    {"imagenet/squeezenet1.1_fp32.onnx", kImageNet, kTorch, 60.7, 0.2},
    {"imagenet/mobilenet_v1_0.25_224_fp32.onnx", kImageNet, kTensorFlow, 54.8, 0.2},
    {"imagenet/mobilenet_v2_1.0_224_qat_uint8_pertensor_qdq.onnx", kImageNet, kTensorFlow, 87.4,
     0.4},
    {"imagenet/mobilenet_v2_1.0_224_qat_uint8_pertensor_qdq.onnx", kImageNet, kTensorFlow, 87.4,
     0.2, kAsWritten},
    {"imagenet/tf2_mobilenet_v2_1.0_224_ptq_int8_perchannel_qdq.onnx", kImageNet, kTensorFlow, 86.7,
     0.2},
    // What ONNX Runtime 1.32 gives without rewrites.
    {"imagenet/tf2_mobilenet_v2_1.0_224_ptq_int8_perchannel_qdq.onnx", kImageNet, kTensorFlow, 86.5,
     0.2, kAsWritten},
};

// A file, the pictures it is scored on and how they are prepared.
struct Classifier {
  model::Model model;
  std::shared_ptr<const data::Dataset> dataset;
  data::Preprocess preprocess;

  static Result<Classifier> Load(const Accuracy& of) {
    PARE_ASSIGN(model::Model model, model::Model::Load(AssetPath(Text("models/", of.model))));
    PARE_ASSIGN(auto dataset, data::OpenDataset(AssetPath(of.data)));
    data::Preprocess preprocess;
    std::istringstream fields(of.preprocess);
    for (std::string field; std::getline(fields, field, ';');) {
      const size_t equals = field.find('=');
      PARE_TRY(preprocess.Set(field.substr(0, equals), field.substr(equals + 1)));
    }
    return Classifier{std::move(model), std::move(dataset), preprocess};
  }

  // Percent of these samples; of all where there are none.
  Result<double> Top1(const graph::Graph& graph, const model::Context& context,
                      const passes::PassOptions& passes, std::vector<int64_t> samples = {}) const {
    if (samples.empty()) samples = data::DrawSamples(*dataset, dataset->size(), 0);
    PARE_ASSIGN(const auto session, model::MakeSession(graph, context, passes));
    PARE_ASSIGN(data::Loader loader,
                data::Loader::Make(dataset, model::InputSpecs(graph), std::move(samples),
                                   {.batch = 4, .preprocess = preprocess, .prefetch = true}));
    SilentProgress progress;
    PARE_ASSIGN(const auto score, compress::Evaluate(*session, loader, progress));
    return *score.top1;
  }
};

class AssetAccuracy : public ::testing::TestWithParam<Accuracy> {};

TEST_P(AssetAccuracy, IsTheManifests) {
  const Accuracy& expected = GetParam();
  const auto classifier = Classifier::Load(expected);
  ASSERT_TRUE(classifier) << classifier.error().message();
  EXPECT_EQ(classifier->dataset->size(), 1000);
  const auto top1 = classifier->Top1(classifier->model.graph(), model::Context::Make(0),
                                     {.switches = expected.switches});
  ASSERT_TRUE(top1) << top1.error().message();
  EXPECT_NEAR(*top1, expected.top1, expected.within + 1e-9);
}

std::string TestName(const Accuracy& of) {
  std::string name = of.model;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name + (*of.switches ? "_as_written" : "");
}

INSTANTIATE_TEST_SUITE_P(Labelled, AssetAccuracy, ::testing::ValuesIn(kAccuracies),
                         [](const auto& info) { return TestName(info.param); });

// What the main job may cost: points of top-1 on the samples that it did not calibrate on. The
// float models' own top-1 is of kAccuracies.
const Accuracy kQuantized[] = {
    {"imagenet/mobilenetv2_1.0_torchvision_fcrecon_fp32.onnx", kImageNet, kTorch, 82.4, 0.5},
    {"cifar10/resnet20_cifar10_fp32.onnx", kCifar, kTorch, 91.5, 0.5},
    {"cifar10/resnet56_cifar10_fp32.onnx", kCifar, kTorch, 92.6, 0.5},
    {"imagenet/squeezenet1.1_fp32.onnx", kImageNet, kTorch, 60.7, 1.0},
    {"imagenet/mobilenet_v1_0.25_224_fp32.onnx", kImageNet, kTensorFlow, 54.8, 1.0},
};

class AssetQuantized : public ::testing::TestWithParam<Accuracy> {};

TEST_P(AssetQuantized, LosesLittleInThirtyPercentOfTheSize) {
  const auto classifier = Classifier::Load(GetParam());
  ASSERT_TRUE(classifier) << classifier.error().message();
  const graph::Graph& graph = classifier->model.graph();
  model::Context context = model::Context::Make(0);
  compress::QuantizeOptions options;
  options.keep_slow_layers = true;  // nothing is decided by time
  SilentProgress progress;
  const auto quantized = compress::Quantize(graph, classifier->dataset, classifier->preprocess,
                                            context, options, progress);
  ASSERT_TRUE(quantized) << quantized.error().message();
  const auto bytes = onnx::ExportBytes(quantized->graph);
  ASSERT_TRUE(bytes) << bytes.error().message();
  EXPECT_LE(std::ssize(*bytes), 0.30 * static_cast<double>(classifier->model.file_bytes()));

  const std::vector<int64_t>& unseen = quantized->split.verification;
  EXPECT_EQ(unseen.size(), 700u);
  const auto before = classifier->Top1(graph, context, {}, unseen);
  const auto after = classifier->Top1(quantized->graph, context, {}, unseen);
  const auto all = classifier->Top1(quantized->graph, context, {});
  context.saturating = true;
  const auto saturating = classifier->Top1(quantized->graph, context, {});
  ASSERT_TRUE(before && after && all && saturating);
  EXPECT_GE(*after, *before - GetParam().within - 1e-9);
  EXPECT_NEAR(*saturating, *all, 0.7 + 1e-9);
}

INSTANTIATE_TEST_SUITE_P(MainJob, AssetQuantized, ::testing::ValuesIn(kQuantized),
                         [](const auto& info) { return TestName(info.param); });

}  // namespace
}  // namespace pare
