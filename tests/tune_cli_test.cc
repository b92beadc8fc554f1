// `pare quantize --weight-bits` and `--tune` from their command lines to their files.
#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <random>
#include <sstream>

#include "cli/command.h"
#include "demo.h"
#include "onnx/export.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "running.h"
#include "running_pare.h"

namespace pare {
namespace {

namespace json = boost::json;

class TuneCommand : public ::testing::Test {
 protected:
  TuneCommand() {
    Tensor x = Tensor::Make(DType::kF32, {600, 20}).value();
    std::mt19937 engine(1);
    for (float& value : x.mutable_as<float>())
      value = static_cast<float>(engine() >> 8) / 8388608.0f - 1;
    EXPECT_TRUE(data::SaveNpy(folder_ / "x.npy", x));
  }

  // A small perceptron, quantized; what `more` asks for, too.
  Arguments Command(const std::string& output, const Arguments& more) const {
    Arguments arguments = {"quantize",
                           model_,
                           "--data",
                           folder_ / "x.npy",
                           "-o",
                           output,
                           "--target",
                           "any",
                           "--calibration",
                           "50",
                           "--verification",
                           "100",
                           "--seconds",
                           "0.01",
                           "--threads",
                           "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Ran Quantize(const std::string& output, const Arguments& more) const {
    return Pare(Command(output, more));
  }
  json::object Report(const Arguments& more) {
    Arguments arguments = more;
    arguments.push_back("--json");
    const Ran ran = Quantize(folder_ / "q.onnx", arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.code == 0 ? json::parse(ran.out).as_object() : json::object();
  }

  const TestFolder folder_;
  std::string model_ = SourcePath("tests/models/mlp.onnx");
};

std::set<std::string> Precisions(const json::object& report) {
  std::set<std::string> all;
  for (const json::value& layer : report.at("layers").as_array())
    all.insert(std::string(layer.as_object().at("precision").as_string()));
  return all;
}

int NarrowConstants(const graph::Graph& graph) {
  int count = 0;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const graph::Value& value = graph.value(static_cast<graph::ValueId>(i));
    count += value.data && value.data.dtype() == DType::kI4 && value.data.rank() == 2;
  }
  return count;
}

// The quantized model is there before it is tuned, and stays.
TEST_F(TuneCommand, KeepsTheUntunedModelOfATuningThatDiverges) {
  const json::object report = Report(
      {"--weight-bits", "4", "--tune", "--steps", "20", "--optimizer", "sgd", "--rate", "1e30"});
  ASSERT_FALSE(report.empty());
  EXPECT_FALSE(report.at("tuned").as_object().at("kept").as_bool());
  EXPECT_NE(json::serialize(report.at("notes")).find("training ended early"), std::string::npos);
  EXPECT_TRUE(FileExists(folder_ / "q.onnx"));
}

TEST_F(TuneCommand, FourBitsAreWrittenAndReadBack) {
  const json::object report = Report({"--weight-bits", "4"});
  EXPECT_EQ(Precisions(report), std::set<std::string>{"int4"});
  EXPECT_TRUE(report.at("tuned").is_null());
  const auto model = model::Model::Load(folder_ / "q.onnx");
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_EQ(NarrowConstants(model->graph()), report.at("four_bit_layers").as_int64());
  EXPECT_EQ(model->graph().opsets.at(""), 21);
}

TEST_F(TuneCommand, AutomaticBitsDontShowAtTheOutputs) {
  const double eight = Report({}).at("quality").at("cosine").to_number<double>();
  const json::object report = Report({"--weight-bits", "auto"});
  EXPECT_LT(report.at("four_bit_layers").as_int64(), std::ssize(report.at("layers").as_array()));
  const double mixed = report.at("quality").at("cosine").to_number<double>();
  EXPECT_GT(eight, 0.99);
  EXPECT_LT(1 - mixed, 1.5 * (1 - eight));
}

TEST_F(TuneCommand, BringsTheFormNearerToTheFloatModel) {
  const json::object before = Report({"--weight-bits", "4"});
  const json::object after =
      Report({"--weight-bits", "4", "--tune", "--steps", "60", "--tune-batch", "32",
              "--validate-every", "20", "--rate", "0.0003"});
  const json::object& tuned = after.at("tuned").as_object();
  EXPECT_TRUE(tuned.at("kept").as_bool());
  EXPECT_GT(tuned.at("snr_db_after").to_number<double>(),
            tuned.at("snr_db_before").to_number<double>() + 0.5);
  EXPECT_EQ(tuned.at("steps").as_int64(), 60);
  EXPECT_EQ(tuned.at("training_samples").as_int64() + tuned.at("validation_samples").as_int64(),
            500);
  EXPECT_EQ(tuned.at("history").as_array().size(), 3);
  // On samples that neither trained nor chose.
  EXPECT_GT(after.at("quality").at("cosine").to_number<double>(),
            before.at("quality").at("cosine").to_number<double>());
}

TEST_F(TuneCommand, KeepsWhatWasThereWhereTuningDoesHarm) {
  const json::object report = Report({"--tune", "--steps", "4", "--rate", "1"});
  const json::object& tuned = report.at("tuned").as_object();
  EXPECT_FALSE(tuned.at("kept").as_bool());
  EXPECT_EQ(tuned.at("best_step"), 0);
  EXPECT_EQ(tuned.at("snr_db_after"), tuned.at("snr_db_before"));
  EXPECT_EQ(report.at("quality").at("cosine"), Report({}).at("quality").at("cosine"));
}

// Zeros among the numbers of matrices: float weights, or integers.
int64_t ZerosInMatrices(const graph::Graph& graph) {
  int64_t zeros = 0;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const Tensor& data = graph.value(static_cast<graph::ValueId>(i)).data;
    if (data.rank() != 2) continue;
    const Tensor numbers = Cast(data, DType::kF32).value();
    zeros += std::ranges::count(numbers.as<float>(), 0.0f);
  }
  return zeros;
}

TEST_F(TuneCommand, KeepsZerosWhereAskedTo) {
  graph::Graph graph = model::Model::Load(model_)->graph();
  for (graph::NodeId id : graph.Order()) {
    if (graph.node(id).op != "Gemm") continue;
    const graph::ValueId weights = graph.node(id).inputs[1];
    const Tensor& data = graph.value(weights).data;
    Tensor half = Tensor::Of<float>(data.shape(), data.as<float>());
    for (int64_t i = 0; i < half.count(); i += 2) half.mutable_as<float>()[i] = 0;
    graph.SetConstant(weights, half);
  }
  model_ = folder_ / "sparse.onnx";
  ASSERT_TRUE(onnx::Export(graph, model_));
  const int64_t zeros = ZerosInMatrices(graph);
  ASSERT_GT(zeros, 0);
  const auto zeros_after = [&](Arguments arguments) {
    arguments.insert(arguments.end(), {"--tune", "--steps", "60", "--rate", "0.001"});
    EXPECT_TRUE(Report(arguments).at("tuned").as_object().at("kept").as_bool());
    return ZerosInMatrices(model::Model::Load(folder_ / "q.onnx")->graph());
  };
  EXPECT_GE(zeros_after({"--weight-bits", "4", "--keep-zeros"}), zeros);
  EXPECT_LT(zeros_after({"--weight-bits", "8"}), zeros);
}

// The float model's answers are remembered; those of the run that was stopped are lost.
TEST_F(TuneCommand, StopsAndGoesOnToTheSameFile) {
  const std::string whole = folder_ / "whole.onnx", stopped = folder_ / "stopped.onnx";
  model_ = WriteModel(folder_ / "model.onnx", kWideProducts);
  Arguments how{"--tune", "--steps",       "40", "--tune-batch", "32",   "--validate-every",
                "15",     "--weight-bits", "4",  "--rate",       "0.003"};
  ASSERT_EQ(Quantize(whole, how).code, 0);
  how.insert(how.end(), {"--checkpoint", folder_ / "run.npz"});
  const Ran ran = PareStopped(Command(stopped, how), 17);
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_FALSE(FileExists(stopped));
  how.push_back("--resume");
  const Ran resumed = Quantize(stopped, how);
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("going on after step 17"), std::string::npos) << resumed.err;
  EXPECT_EQ(*ReadFile(whole), *ReadFile(stopped));
}

TEST_F(TuneCommand, WritesTheSameFileWithAnyThreads) {
  const std::string one = folder_ / "one.onnx", two = folder_ / "two.onnx";
  model_ = WriteModel(folder_ / "model.onnx", kWideProducts);
  const auto tune = [&](const std::string& output, const char* threads) {
    Arguments arguments =
        Command(output, {"--tune", "--steps", "40", "--tune-batch", "32", "--validate-every", "20",
                         "--weight-bits", "4", "--rate", "0.003", "--json"});
    *(std::ranges::find(arguments, "--threads") + 1) = threads;
    return Pare(arguments);
  };
  const Ran first = tune(one, "1"), second = tune(two, "2");
  ASSERT_EQ(first.code, 0) << first.err;
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_TRUE(first.object().at("tuned").as_object().at("kept").as_bool());
  EXPECT_TRUE(*ReadFile(one) == *ReadFile(two));
}

// Of samples that are all alike, which ones are drawn changes nothing; which ones are flipped does.
TEST_F(TuneCommand, DrawsByTheSeed) {
  Tensor x = Tensor::Make(DType::kF32, {600, 1, 4, 4}).value();
  for (int64_t i = 0; i < x.count(); ++i)
    x.mutable_as<float>()[i] = static_cast<float>(i % 16 * 5 % 7) / 7;
  ASSERT_TRUE(data::SaveNpy(folder_ / "x.npy", x));
  model_ = WriteModel(folder_ / "model.onnx", R"(
opset 17
input x: f32[N,1,4,4]
const w: f32[8,1,3,3] = random(1, -0.5, 0.5)
const v: f32[3,8,4,4] = random(2, -0.5, 0.5)
h = Conv(x, w) {pads=[1,1,1,1]}
r = Relu(h)
y = Conv(r, v)
output y
)");
  const auto history = [&](const char* seed, Arguments more) {
    more.insert(more.end(), {"--tune", "--steps", "8", "--validate-every", "4", "--weight-bits",
                             "4", "--tune-batch", "8", "--seed", seed});
    const json::object report = Report(more);
    std::string losses;
    for (const json::value& row : report.at("tuned").as_object().at("history").as_array())
      losses += json::serialize(row.as_object().at("loss")) + ' ';
    return losses;
  };
  EXPECT_EQ(history("1", {}), history("2", {})) << "the construction is of no use";
  EXPECT_EQ(history("1", {"--flip"}), history("1", {"--flip"}));
  EXPECT_NE(history("1", {"--flip"}), history("2", {"--flip"}));
}

// By labels that the untuned form answers all right, one that is nearer to the float model is
// worse.
TEST_F(TuneCommand, KeepsTheUntunedFormWhereTheTunedOneMissesMaxDrop) {
  const Arguments four{"--weight-bits", "4"};
  Report(four);
  const auto model = model::Model::Load(folder_ / "q.onnx");
  ASSERT_TRUE(model) << model.error().message();
  const auto session = model::MakeSession(model->graph(), model::Context::Make(1));
  ASSERT_TRUE(session);
  const auto rows = data::LoadNpy(folder_ / "x.npy");
  ASSERT_TRUE(rows);
  std::vector<Tensor> outputs(1);
  ASSERT_TRUE((*session)->Run({&*rows, 1}, outputs));
  std::vector<int64_t> labels;
  const auto scores = outputs[0].as<float>();
  const int64_t classes = outputs[0].shape()[1];
  for (int64_t row = 0; row < 600; ++row) {
    const auto begin = scores.begin() + row * classes;
    labels.push_back(std::max_element(begin, begin + classes) - begin);
  }
  ASSERT_TRUE(data::SaveNpy(folder_ / "x_labels.npy", Tensor::Of<int64_t>({600}, labels)));
  const auto top1 = [](const json::object& report) {
    const json::object& quality = report.at("quality").as_object();
    return quality.at("top1_a").to_number<double>() - quality.at("top1_b").to_number<double>();
  };
  const double drop = top1(Report(four));
  const Arguments tuned =
      four + Arguments{"--tune", "--steps",          "60", "--tune-batch", "32", "--rate",
                       "0.003",  "--validate-every", "20"};
  ASSERT_LT(drop, top1(Report(tuned)) - 1) << "the construction is of no use";
  const json::object held = Report(tuned + Arguments{"--max-drop", Text(drop / 2)});
  EXPECT_FALSE(held.at("tuned").as_object().at("kept").as_bool());
  EXPECT_NE(json::serialize(held.at("notes")).find("the tuned form loses more than --max-drop"),
            std::string::npos);
  EXPECT_LE(top1(held), drop / 2);
}

TEST_F(TuneCommand, SaysWhereFewSamplesChoose) {
  const Arguments how{"--tune", "--steps", "2", "--tune-batch", "16"};
  const auto notes = [&](Arguments more) {
    more.insert(more.end(), how.begin(), how.end());
    return json::serialize(Report(more).at("notes"));
  };
  // A quarter of what doesn't verify: 50 of 200, and 125 of 500.
  EXPECT_NE(notes({"--limit", "300"}).find("--tune has 50 samples to choose the best weights by"),
            std::string::npos);
  EXPECT_EQ(notes({}).find("--tune has"), std::string::npos);
}

TEST_F(TuneCommand, SaysWhatIsWrong) {
  const auto error = [&](const Arguments& more) {
    const Ran ran = Quantize(folder_ / "x.onnx", more);
    EXPECT_NE(ran.code, 0);
    return ran.err;
  };
  EXPECT_NE(error({"--weight-bits", "5"}).find("none of 8, 7, 4 and auto"), std::string::npos);
  EXPECT_NE(error({"--rate", "0.1"}).find("not --tune"), std::string::npos);
  EXPECT_NE(error({"--max-memory", "5"}).find("not --tune"), std::string::npos);
  EXPECT_NE(error({"--tune", "--alpha", "0.5"}).find("asks for labels"), std::string::npos);
  EXPECT_NE(error({"--steps", "7"}).find("not --tune"), std::string::npos);
  const std::string flipped = error({"--tune", "--flip"});
  EXPECT_NE(flipped.find("no batch of pictures"), std::string::npos) << flipped;
  EXPECT_EQ(flipped.find("calibrating"), std::string::npos) << flipped;
  EXPECT_NE(error({"--tune", "--resume"}).find("needs the checkpoint"), std::string::npos);
  EXPECT_NE(error({"--tune", "--steps", "2", "--epochs", "2"}).find("both given"),
            std::string::npos);
  EXPECT_NE(error({"--tune", "--rate", "0"}).find("nothing is learned"), std::string::npos);
  EXPECT_NE(error({"--tune", "--temperature", "2000"}).find("not between"), std::string::npos);
  ASSERT_TRUE(data::SaveNpy(folder_ / "y.npy", Tensor::Zeros(DType::kF32, {600, 10}).value()));
  for (const Arguments& unused : {Arguments{"--alpha", "0"}, Arguments{"--metric", "mse"},
                                  Arguments{"--targets", folder_ / "y.npy"}}) {
    EXPECT_NE(error(Arguments{"--tune", "--temperature", "8"} + unused).find("has no effect"),
              std::string::npos)
        << unused[0];
  }
  const std::string few = error({"--tune", "--limit", "2"});
  EXPECT_NE(few.find("too few to learn from"), std::string::npos) << few;
  EXPECT_EQ(few.find("calibrating"), std::string::npos) << few;
  // A limit that no step fits into is no training that ended early.
  model_ = WriteModel(folder_ / "wide.onnx", R"(
opset 17
input x: f32[N,20]
const w0: f32[20,4000] = random(1, -0.5, 0.5)
const w1: f32[4000,10] = random(2, -0.1, 0.1)
h = MatMul(x, w0)
r = Relu(h)
y = MatMul(r, w1)
output y
)");
  const std::string memory = error({"--tune", "--max-memory", "1", "--steps", "2"});
  EXPECT_NE(memory.find("allowed are 1 MB"), std::string::npos) << memory;
  EXPECT_FALSE(FileExists(folder_ / "x.onnx"));
  // What is named as the least is enough, and one less is not.
  const size_t at = memory.find("--max-memory counts MB: ");
  ASSERT_NE(at, std::string::npos) << memory;
  const int least = std::stoi(memory.substr(at + std::strlen("--max-memory counts MB: ")));
  const auto with = [&](int megabytes) {
    return Quantize(folder_ / "x.onnx",
                    {"--tune", "--max-memory", std::to_string(megabytes), "--steps", "2"})
        .code;
  };
  EXPECT_EQ(with(least - 1), 1);
  EXPECT_EQ(with(least), 0);
}

}  // namespace
}  // namespace pare
