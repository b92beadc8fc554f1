// Commands that look at a model or run it: inspect, run, compare, profile.
#include <boost/json.hpp>

#include "cli/exit_code.h"
#include "demo.h"
#include "graph/text.h"
#include "onnx/export.h"
#include "platform/file.h"
#include "platform/test_folder.h"

namespace pare {
namespace {

namespace json = boost::json;

using demo::kModel;

TEST(Inspect, KnowsWhatIsInAModel) {
  const Ran ran = Pare({"inspect", kModel, "--nodes", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  EXPECT_TRUE(report.at("runs").as_bool());
  EXPECT_TRUE(report.at("missing").as_array().empty());
  EXPECT_EQ(report.at("inputs").at(0).at("name").as_string(), "input");
  EXPECT_EQ(report.at("inputs").at(0).at("shape").at(2).as_int64(), 32);
  // He et al., "Deep Residual Learning", table 6: 0.27 M parameters; 41 M multiply-adds.
  EXPECT_NEAR(report.at("parameters").to_number<double>(), 0.27e6, 5e3);
  EXPECT_NEAR(report.at("macs").to_number<double>(), 40.8e6, 0.5e6);
  EXPECT_GT(report.at("memory").at("arena_bytes").as_int64(), 0);
  EXPECT_GT(report.at("memory").at("packed_bytes").as_int64(), 0);
  EXPECT_FALSE(report.at("nodes").as_array().empty());
  EXPECT_TRUE(Has(Pare({"inspect", kModel}).out, "it runs"));
}

TEST(Inspect, TellsOfBrokenFilesWhatItCan) {
  for (const auto& path : Sorted(SourcePath("tests/broken"))) {
    if (path.extension() != ".onnx") continue;
    const Ran ran = Pare({"inspect", path});
    EXPECT_TRUE(ran.code == 0 || !ran.err.empty()) << path;
    EXPECT_NE(ran.code, cli::ExitCodeOf(ErrorKind::kInternal).code) << path << ran.err;
  }
}

TEST(Inspect, TellsOfNormalisationsThatAreFolded) {
  const TestFolder folder;
  const std::string path = WriteModel(folder / "m.onnx", R"(
opset 17
input x: f32[N,2,4,4]
const w: f32[3,2,1,1] = [1,2,3,4,5,6]
const scale: f32[3] = [1,2,3]
const shift: f32[3] = [0,1,0]
const mean: f32[3] = [0,0,1]
const variance: f32[3] = [1,1,2]
h = Conv(x, w)
y: f32[N,3,4,4] = BatchNormalization(h, scale, shift, mean, variance)
output y
)");
  const Ran ran = Pare({"inspect", path, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.object().at("folded_batch_normalizations").as_int64(), 1);
  EXPECT_EQ(ran.object().at("operators").as_array().size(), 1u);
  const std::string text = Pare({"inspect", path}).out;
  EXPECT_TRUE(Has(text, "BatchNormalization") && Has(text, "folded when it runs")) << text;
}

TEST(Inspect, ListsAllThatWouldNotRun) {
  const TestFolder folder;
  auto graph = graph::Parse(
      "opset 17\nopset com.acme 1\ninput x: f32[N,4]\n"
      "a: f32[N,4] = com.acme.Magic(x) # first\nb: f32[N,4] = Relu(a)\n"
      "c: f32[N,4] = com.acme.Trick(b) # second\noutput c\n");
  ASSERT_TRUE(graph) << graph.error().message();
  const std::string path = folder / "magic.onnx";
  ASSERT_TRUE(onnx::Export(*graph, path));
  const Ran ran = Pare({"inspect", path, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  EXPECT_FALSE(report.at("runs").as_bool());
  ASSERT_EQ(report.at("missing").as_array().size(), 2u);
  EXPECT_EQ(report.at("missing").at(0).at("node").as_string(), "first");
  EXPECT_EQ(report.at("missing").at(1).at("op").as_string(), "com.acme.Trick");
  EXPECT_TRUE(Has(Pare({"inspect", path}).out, "it does not run"));
  const Ran bench = Pare({"bench", path});
  EXPECT_EQ(bench.code, 5);
  EXPECT_TRUE(Has(bench.err, "magic.onnx: node first (com.acme.Magic): ")) << bench.err;
}

TEST(Run, WritesEachOutput) {
  const TestFolder folder;
  const std::string x = folder / "x.npy", out = folder / "out";
  ASSERT_TRUE(data::SaveNpy(x, Tensor::Zeros(DType::kF64, {2, 3, 32, 32}).value()));
  const Ran wrong = Pare({"run", kModel, "--input", x, "--output-dir", out});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(Has(wrong.err, "--cast converts f64 to f32")) << wrong.err;
  const Ran ran = Pare({"run", kModel, "--input", x, "--cast", "--output-dir", out, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string file(ran.object().at("outputs").at(0).at("file").as_string());
  const auto logits = data::LoadNpy(file);
  ASSERT_TRUE(logits) << logits.error().message();
  EXPECT_EQ(logits->shape(), (Dims{2, 10}));
  // An output never lands on an input.
  const Ran over = Pare({"run", kModel, "--input", file, "--output-dir", out});
  EXPECT_EQ(over.code, 2);
}

TEST(Run, AnOutputThatHoldsNoNumberHasNoExtremes) {
  const TestFolder folder;
  auto graph = graph::Parse("opset 17\ninput x: f32[N,2]\ny: f32[N,2] = Sqrt(x)\noutput y\n");
  ASSERT_TRUE(graph) << graph.error().message();
  const std::string model = folder / "m.onnx", x = folder / "x.npy";
  ASSERT_TRUE(onnx::Export(*graph, model));
  const auto row = [&](const Tensor& samples) {
    EXPECT_TRUE(data::SaveNpy(x, samples));
    return Pare({"run", model, "--input", x}).out;
  };
  const std::string none = row(Tensor::Of<float>({1, 2}, {-1, -1}));
  EXPECT_TRUE(Has(none, "–") && Has(none, "2 not finite")) << none;
  EXPECT_FALSE(Has(none, "inf ")) << none;
  const std::string one = row(Tensor::Of<float>({1, 2}, {-1, 4}));
  EXPECT_TRUE(Has(one, "1 not finite") && !Has(one, "–")) << one;
}

TEST(Compare, MatchesOutputsByName) {
  const TestFolder folder;
  const auto model = [&](const std::string& name, const std::string& outputs) {
    auto graph = graph::Parse(
        "input x: f32[N,4]\nconst w: f32[4,3] = random(1, -1, 1)\na = Relu(x)\nb = MatMul(x, w)\n" +
        outputs);
    EXPECT_TRUE(graph && ops::InferTypes(*graph) && onnx::Export(*graph, folder / name));
    return folder / name;
  };
  Tensor x = Tensor::Make(DType::kF32, {6, 4}).value();
  for (int i = 0; i < 24; ++i) x.mutable_as<float>()[i] = static_cast<float>(i % 7 - 3);
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", x));
  const std::string whole = model("whole.onnx", "output a\noutput b\n");
  for (const std::string& other :
       {model("turned.onnx", "output b\noutput a\n"), model("part.onnx", "output b\n")}) {
    for (const auto& [first, second] : {std::pair(whole, other), std::pair(other, whole)}) {
      const Ran ran = Pare({"compare", first, second, "--data", folder / "x.npy", "--metric", "mse",
                            "--seconds", "0.01", "--json"});
      ASSERT_EQ(ran.code, 0) << ran.err;
      EXPECT_EQ(ran.object().at("quality").at("mse").to_number<double>(), 0);
    }
  }
}

TEST(Profile, TracesWhatItMeasured) {
  const TestFolder folder;
  const std::string trace = folder / "trace.json";
  const Ran ran = Pare({"profile", kModel, "--seconds", "0.02", "--trace", trace, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  EXPECT_GE(report.at("layers").as_array().size(), 20u);
  double share = 0;
  for (const json::value& layer : report.at("layers").as_array())
    share += layer.at("share").to_number<double>();
  EXPECT_NEAR(share, 1, 1e-9);
  const json::value events = json::parse(ReadFile(trace).value());
  // Nodes that cost nothing (another shape for the same bytes) stand in the trace alone.
  EXPECT_GE(events.at("traceEvents").as_array().size(), report.at("layers").as_array().size());
}

}  // namespace
}  // namespace pare
