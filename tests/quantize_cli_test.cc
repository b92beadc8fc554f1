// `pare quantize`, and other commands on what it wrote.
#include <boost/json.hpp>
#include <fstream>
#include <random>

#include "data/npy.h"
#include "demo.h"
#include "graph/text.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "platform/file.h"
#include "platform/test_folder.h"

namespace pare {
namespace {

namespace json = boost::json;

using demo::kData;
using demo::kModel;
using demo::kPreprocessing;

// One small quantization that several tests look at.
class Quantized : public ::testing::Test {
 protected:
  struct Job {
    TestFolder folder;
    std::string model = folder / "int8.onnx";
    Ran ran =
        Pare(Arguments{"quantize", kModel, "-o", model, "--calibration", "24", "--verification",
                       "64", "--limit", "200", "--target", "any", "--seconds", "0.1", "--json"} +
             kData + kPreprocessing);
  };
  static void SetUpTestSuite() { job_ = new Job(); }
  static void TearDownTestSuite() {
    delete job_;
    job_ = nullptr;
  }
  // By layer.
  static std::map<std::string, std::string> Reasons(const json::object& report) {
    std::map<std::string, std::string> reasons;
    for (const json::value& layer : report.at("layers").as_array()) {
      if (layer.at("reason").is_string())
        reasons[layer.at("name").as_string().c_str()] = layer.at("reason").as_string().c_str();
    }
    return reasons;
  }
  void SetUp() override { ASSERT_EQ(job_->ran.code, 0) << job_->ran.err; }

  static Job* job_;
};
Quantized::Job* Quantized::job_ = nullptr;

TEST_F(Quantized, ReportsWhatItCostsAndGains) {
  const json::object report = job_->ran.object();
  const json::object quality = report.at("quality").as_object();
  EXPECT_EQ(quality.at("count").as_int64(), 64);
  EXPECT_GT(quality.at("top1_a").to_number<double>(), 80);
  EXPECT_GT(quality.at("top1_b").to_number<double>(), 80);
  EXPECT_GT(quality.at("top5_b").to_number<double>(), 90);
  EXPECT_GT(quality.at("agreement").to_number<double>(), 90);
  for (const std::string share : {"top1_a", "top1_b", "agreement"}) {
    EXPECT_LT(quality.at(share + "_low").to_number<double>(),
              quality.at(share).to_number<double>());
    EXPECT_GE(quality.at(share + "_high").to_number<double>(),
              quality.at(share).to_number<double>());
  }
  EXPECT_LT(quality.at("top1_change_low").to_number<double>(),
            quality.at("top1_change_high").to_number<double>());
  EXPECT_GT(quality.at("cosine").to_number<double>(), 0.98);
  EXPECT_LT(report.at("bytes").at("b").as_int64(), report.at("bytes").at("a").as_int64() / 2);
  for (const char* side : {"a", "b"}) {
    const json::value& ms = report.at("time_ms").at(side);
    EXPECT_LE(ms.at("low").to_number<double>(), ms.at("median").to_number<double>());
    EXPECT_LE(ms.at("median").to_number<double>(), ms.at("high").to_number<double>());
  }
  EXPECT_GT(report.at("time_ms").at("speedup").to_number<double>(), 0);
  EXPECT_GT(report.at("seconds").at("quantize").to_number<double>(), 0);
  EXPECT_GT(report.at("seconds").at("verify").to_number<double>(), 0);
  EXPECT_GT(report.at("peak_memory_bytes").as_int64(), 0);
  EXPECT_EQ(report.at("calibration_samples").as_int64(), 24);

  int integer = 0, measured = 0;
  for (const json::value& layer : report.at("layers").as_array()) {
    integer += layer.at("precision").as_string().starts_with("int");
    measured += layer.at("snr_db").is_number() && layer.at("cosine").is_number();
    const bool kept = layer.at("precision").as_string() == "float32";
    EXPECT_TRUE(!kept || layer.at("reason").is_string()) << json::serialize(layer);
    for (const char* key : {"name", "op", "a_ms", "b_ms"})
      EXPECT_TRUE(layer.as_object().contains(key));
  }
  EXPECT_GE(integer, 20);
  EXPECT_GE(measured, 20);
}

TEST_F(Quantized, TheFileKnowsItsPreprocessingAndItsRun) {
  const auto graph = onnx::Import(job_->model);
  ASSERT_TRUE(graph) << graph.error().message();
  EXPECT_EQ(graph->metadata.at("pare.preprocess.mean"), "0.485,0.456,0.406");
  const json::object run = json::parse(graph->metadata.at("pare.run")).as_object();
  EXPECT_EQ(run.at("calibration").as_int64(), 24);
  EXPECT_EQ(run.at("data").as_string(), "cifar10_test_2000.bin");  // no folders of ours
  EXPECT_EQ(run.at("model").as_string(), "resnet20_cifar10_fp32.onnx");
  EXPECT_EQ(run.at("data_hash").as_string().size(), 16u);

  const Arguments evaluate = Arguments{"evaluate", job_->model, "--limit", "100", "--json"} + kData;
  const Ran stored = Pare(evaluate), given = Pare(evaluate + kPreprocessing);
  ASSERT_EQ(stored.code, 0) << stored.err;
  EXPECT_EQ(stored.object().at("count").as_int64(), 100);
  EXPECT_GT(stored.object().at("top1").to_number<double>(), 80);
  EXPECT_GT(stored.object().at("top1_low").to_number<double>(), 70);
  EXPECT_EQ(stored.object().at("top1"), given.object().at("top1"));
  // What is given goes before what is stored.
  const Ran other = Pare(evaluate + Arguments{"--mean", "9"});
  EXPECT_LT(other.object().at("top1").to_number<double>(), 50);
}

TEST_F(Quantized, ComparesWithWhatItCameFrom) {
  const Arguments compare =
      Arguments{"compare", kModel, job_->model, "--limit", "50", "--seconds", "0.1"} + kData;
  const Ran ran = Pare(compare + Arguments{"--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  // The preprocessing stored in B holds for A, which knows none.
  EXPECT_GT(report.at("quality").at("top1_a").to_number<double>(), 80);
  EXPECT_GT(report.at("quality").at("agreement").to_number<double>(), 90);
  EXPECT_TRUE(report.at("seconds").at("quantize").is_null());
  EXPECT_GE(report.at("layers").as_array().size(), 20u);
  EXPECT_EQ(Reasons(report), Reasons(job_->ran.object()));
  EXPECT_FALSE(Reasons(report).empty());
  const Ran people = Pare(compare + Arguments{"--layers", "--quiet"});
  EXPECT_TRUE(Has(people.out, "agreement") && Has(people.out, "SNR dB")) << people.out;
  EXPECT_EQ(people.err, "");
}

// By layer; each stands there once, with its figures.
std::map<std::string, std::string> Precisions(const json::object& report) {
  std::map<std::string, std::string> by_layer;
  for (const json::value& layer : report.at("layers").as_array()) {
    const std::string name = layer.at("name").as_string().c_str();
    EXPECT_FALSE(by_layer.contains(name)) << name;
    EXPECT_TRUE(layer.at("snr_db").is_number()) << name;
    by_layer[name] = layer.at("precision").as_string().c_str();
  }
  return by_layer;
}

TEST_F(Quantized, ComparedLayersHaveThePrecisionThatTheyRunIn) {
  const std::string model = job_->folder / "mixed.onnx";
  const Ran ran = Pare(Arguments{"quantize", kModel, "-o", model, "--calibration", "8",
                                 "--verification", "16", "--limit", "40", "--target", "any",
                                 "--seconds", "0.01", "--keep-float", "*conv1*", "--json"} +
                       kData + kPreprocessing);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Ran compared = Pare(
      Arguments{"compare", kModel, model, "--limit", "16", "--seconds", "0.01", "--json"} + kData);
  ASSERT_EQ(compared.code, 0) << compared.err;
  const auto expected = Precisions(ran.object());
  EXPECT_EQ(Precisions(compared.object()), expected);
  EXPECT_GE(std::count_if(expected.begin(), expected.end(),
                          [](const auto& layer) { return layer.second == "float32"; }),
            9);
}

// What stands behind a product, or at the end of a model, is easily counted twice or otherwise.
TEST(QuantizedLayers, AreThoseThatTheFileRuns) {
  const struct {
    const char* graph;
    Dims samples;
    std::map<std::string, std::string> precisions;
  } kCases[] = {{R"(
input x: f32[n,5,16]
const w0: f32[16,32] = random(1, -1, 1)
const b0: f32[32] = random(2, -1, 1)
const w1: f32[32,16] = random(3, -1, 1)
const b1: f32[1,1,16] = random(4, -1, 1)
const w2: f32[16,8] = random(5, -1, 1)
const b2: f32[8] = random(6, -1, 1)
p = MatMul(x, w0)
s = Add(p, b0)
r = Relu(s)
q = MatMul(r, w1)
t = Add(b1, q)
u = Add(t, x)
v = MatMul(u, w2)
y = Add(v, b2)
output y
)",
                 {64, 5, 16},
                 {{"r", "int8"}, {"t", "int8"}, {"u", "int8"}, {"y", "int8"}}},
                {R"(
input x: f32[n,4,8,8]
const w0: f32[8,4,3,3] = random(1, -1, 1)
const w1: f32[4,8,1,1] = random(2, -1, 1)
c = Conv(x, w0) {pads=[1,1,1,1]}
r = Relu(c)
d = Conv(r, w1)
y = Identity(d)
output y
)",
                 {64, 4, 8, 8},
                 {{"r", "int8"}, {"y", "int8"}}}};
  for (const auto& c : kCases) {
    const TestFolder folder;
    const std::string model = folder / "float.onnx", data = folder / "x.npy",
                      out = folder / "int8.onnx";
    auto graph = graph::Parse(c.graph);
    ASSERT_TRUE(graph) << graph.error().message();
    ASSERT_TRUE(onnx::Export(*graph, model));
    Tensor x = Tensor::Make(DType::kF32, c.samples).value();
    std::mt19937 engine(7);
    std::normal_distribution<float> normal;
    for (float& value : x.mutable_as<float>()) value = normal(engine);
    ASSERT_TRUE(data::SaveNpy(data, x));
    const Ran ran = Pare({"quantize", model, "--data", data, "-o", out, "--target", "any",
                          "--overflow-safe", "never", "--seconds", "0.01", "--json"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(Precisions(ran.object()), c.precisions);
    const Ran compared =
        Pare({"compare", model, out, "--data", data, "--seconds", "0.01", "--json"});
    ASSERT_EQ(compared.code, 0) << compared.err;
    EXPECT_EQ(Precisions(compared.object()), c.precisions);
  }
}

TEST_F(Quantized, AnswersAsAnEngineThatSaturates) {
  const Arguments compare =
      Arguments{"compare", kModel, job_->model, "--limit", "50", "--seconds", "0.1", "--json"} +
      kData;
  const Ran exact = Pare(compare), saturating = Pare(compare + Arguments{"--saturating"});
  ASSERT_EQ(saturating.code, 0) << saturating.err;
  EXPECT_FALSE(exact.object().at("saturating").as_bool());
  EXPECT_TRUE(saturating.object().at("saturating").as_bool());
  const json::object before = exact.object().at("quality").as_object(),
                     after = saturating.object().at("quality").as_object();
  EXPECT_EQ(before.at("top1_a"), after.at("top1_a"));
  EXPECT_NE(before.at("cosine"), after.at("cosine"));
  EXPECT_GT(after.at("agreement").to_number<double>(), 80);
}

TEST_F(Quantized, IsNotQuantizedTwice) {
  const auto refused = [&](const Arguments& command) {
    const Ran ran = Pare(command + Arguments{"-o", job_->folder / "again.onnx"});
    EXPECT_EQ(ran.code, 5) << command[0];
    return ran.err;
  };
  const std::string& model = job_->model;
  const std::string error = refused(Arguments{"quantize", model} + kData);
  EXPECT_TRUE(Has(error, "quantized already")) << error;
  refused({"design", model, "--width", "0.5"});
  refused(Arguments{"prune", model, "--target-macs", "0.5x"} + kData);
  refused(Arguments{"train", model, "--steps", "1"} + kData);
  refused(Arguments{"distill", "--teacher", kModel, "--student", model, "--steps", "1"} + kData);
}

TEST_F(Quantized, BenchesBesideTheFloatModel) {
  const Ran ran = Pare({"bench", kModel, "--vs", job_->model, "--seconds", "0.05", "--batch", "2",
                        "--threads", "1", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  for (const json::object& side : {report, report.at("b").as_object()}) {
    EXPECT_GE(side.at("median_ms").to_number<double>(), side.at("min_ms").to_number<double>());
    EXPECT_GE(side.at("high_ms").to_number<double>(), side.at("low_ms").to_number<double>());
    EXPECT_GT(side.at("load_ms").to_number<double>(), 0);
    EXPECT_GT(side.at("first_run_ms").to_number<double>(), 0);
    EXPECT_EQ(side.at("threads").as_int64(), 1);
    EXPECT_EQ(side.at("batch").as_int64(), 2);
  }
  EXPECT_GT(report.at("peak_memory_bytes").as_int64(), 0);
  EXPECT_GT(report.at("speedup").to_number<double>(), 0);
  EXPECT_TRUE(report.at("notes").is_array() && report.contains("busy_elsewhere"));
}

// y = x·w with one output a sample, on rows of two numbers and the answer.
class Regression : public ::testing::Test {
 protected:
  void SetUp() override {
    auto graph = graph::Parse(
        "opset 17\ninput x: f32[N,2]\nconst w: f32[2,1] = [1,2]\n"
        "y: f32[N,1] = MatMul(x, w)\noutput y\n");
    ASSERT_TRUE(graph) << graph.error().message();
    ASSERT_TRUE(onnx::Export(*graph, model_));
    std::string text = "p,q,target\n";
    for (int i = 0; i < 60; ++i) text += Text("0.", i, ",-0.", 60 - i, ",", i % 7, ".5\n");
    table_ = folder_.Write("t.csv", text);
  }
  Ran Quantize(const Arguments& more) {
    return Pare(Arguments{"quantize", model_, "--data", table_, "-o", folder_ / "q.onnx",
                          "--calibration", "20", "--target", "any", "--seconds", "0.01"} +
                more);
  }

  TestFolder folder_;
  std::string model_ = folder_ / "m.onnx", table_;
};

TEST_F(Regression, IsMeasuredByItsError) {
  const Ran ran = Quantize({"--label", "target", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.object().at("quality").at("metric").as_string(), "mse");
  const Ran people = Quantize({"--label", "target"});
  EXPECT_TRUE(Has(people.out, "\n  mse") && Has(people.out, "\n  psnr")) << people.out;
  EXPECT_FALSE(Has(people.out, "\n  cosine")) << people.out;
  // Three weights, and all that int8 needs around them.
  EXPECT_TRUE(Has(people.out, "\nno gain in size: ")) << people.out;
  EXPECT_TRUE(Has(ran.out, "no gain in size: ")) << ran.out;
  const Ran top = Quantize({"--label", "target", "--metric", "top"});
  EXPECT_EQ(top.code, 2);
  EXPECT_TRUE(Has(top.err, "--metric top needs")) << top.err;
}

TEST_F(Regression, LabelsThatAreValuesAreNotStoredAsClasses) {
  const Ran ran = Quantize({"--label", "target"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(Has(ran.err, "--target-columns target")) << ran.err;
  const auto metadata = model::Model::Load(folder_ / "q.onnx").value().graph().metadata;
  EXPECT_TRUE(metadata.contains("pare.label"));
  EXPECT_FALSE(metadata.contains("pare.classes"));
}

TEST_F(Regression, AForgottenLabelIsAskedFor) {
  const Ran ran = Quantize({});
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(Has(ran.err, "--label COLUMN") && Has(ran.err, "p, q, target")) << ran.err;
}

TEST_F(Regression, BadSamplesEndTheWorkBeforeItBegins) {
  std::ofstream(table_, std::ios::app) << "0.5,,1.5\n";
  const Ran ran = Quantize({"--label", "target", "--verification", "1000"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_TRUE(Has(ran.err, "t.csv: line 62: column q is ''")) << ran.err;
  EXPECT_FALSE(Has(ran.err, "calibrating")) << ran.err;
}

TEST_F(Regression, PreprocessingOfPicturesIsToldToBeWithoutEffect) {
  const Ran ran = Quantize({"--label", "target", "--scale", "2", "--bgr"});
  EXPECT_TRUE(Has(ran.err, "note: --scale, --bgr: without effect")) << ran.err;
}

TEST_F(Regression, WeightsThatAreNoNumbersAreNamed) {
  auto graph = graph::Parse(
      "opset 17\ninput x: f32[N,2]\nconst w: f32[2,1] = [1,nan]\n"
      "y: f32[N,1] = MatMul(x, w)\noutput y\n");
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(onnx::Export(*graph, model_));
  // Before the samples are read, one of which is bad.
  std::ofstream(table_, std::ios::app) << "0.5,,1.5\n";
  const Ran ran = Quantize({"--label", "target", "--verification", "1000"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_TRUE(Has(ran.err, "m.onnx: the constant \"w\" holds NaN or infinities in 1 of 2"))
      << ran.err;
  const Ran compared =
      Pare({"compare", model_, model_, "--data", table_, "--label", "target", "--seconds", "0.01"});
  EXPECT_TRUE(Has(compared.err, "the constant \"w\" holds NaN")) << compared.err;
}

TEST(MaxDrop, ThatCannotBeHeldIsAnErrorOfItsOwn) {
  const TestFolder folder;
  const std::string out = folder / "out.onnx";
  // Int8 is not 90 points better than float.
  const Ran ran =
      Pare(Arguments{"quantize", kModel, "-o", out, "--max-drop", "-90", "--calibration", "4",
                     "--verification", "8", "--limit", "12", "--target", "any", "--calibrator",
                     "minmax", "--no-equalization", "--json"} +
           kData + kPreprocessing);
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_EQ(ran.object().at("error").at("kind").as_string(), "unmet");
  EXPECT_FALSE(FileExists(out));
}

}  // namespace
}  // namespace pare
