// `pare prune` from its command line to a smaller file.
#include <boost/json.hpp>

#include "base/random.h"
#include "data/npy.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "running.h"
#include "running_pare.h"

namespace pare {
namespace {

namespace json = boost::json;

const std::string kNetwork = SourcePath("examples/demo/resnet20_cifar10_fp32.onnx");
const std::string kPhotos = SourcePath("examples/demo/cifar10_test_2000.bin");

Ran PruneAndMaybeTrain(const Arguments& more) {
  Arguments arguments{"prune",          kNetwork,
                      "--data",         kPhotos,
                      "--mean",         "0.485,0.456,0.406",
                      "--std",          "0.229,0.224,0.225",
                      "--calibration",  "24",
                      "--verification", "40",
                      "--seconds",      "0.05",
                      "--json",         "--quiet"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return Pare(arguments);
}

Ran Prune(Arguments more) {
  more.emplace_back("--no-recover");
  return PruneAndMaybeTrain(more);
}

// All groups stay but the inner widths of the first stage.
Arguments KeepMost() {
  Arguments arguments;
  const json::object listed = Pare({"prune", kNetwork, "--list", "--json"}).object();
  for (const auto& group : listed.at("groups").as_array()) {
    const bool inner = group.at("size").as_int64() == 16 && group.at("producers").as_int64() == 1;
    if (inner) continue;
    arguments.emplace_back("--keep");
    arguments.emplace_back(group.at("name").as_string());
  }
  return arguments;
}

Arguments Joined(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

double Number(const json::object& report, const char* side, const char* member) {
  return report.at(side).as_object().at(member).to_number<double>();
}

TEST(PruneCommand, ListsTheGroups) {
  EXPECT_EQ(Pare({"prune", kNetwork, "--list", "--keep", "no_such_layer"}).code, 2);
  const Ran listed = Pare({"prune", kNetwork, "--list", "--json"});
  ASSERT_EQ(listed.code, 0) << listed.err;
  const json::object report = listed.object();
  const auto& groups = report.at("groups").as_array();
  // Three residual streams, nine inner widths, the classes.
  ASSERT_EQ(groups.size(), 13u);
  const auto& stream = groups[0].as_object();
  EXPECT_EQ(stream.at("size").as_int64(), 16);
  EXPECT_GT(stream.at("producers").as_int64(), 1);
  EXPECT_TRUE(stream.at("exact").as_bool());
  const auto& classes = groups.back().as_object();
  EXPECT_FALSE(classes.at("prunable").as_bool());
  EXPECT_TRUE(std::string(classes.at("why_not").as_string()).find("output") != std::string::npos);
  const std::string table = Pare({"prune", kNetwork, "--list"}).out;
  EXPECT_NE(table.find("12 of 13 groups can be pruned"), std::string::npos) << table;
  EXPECT_NE(table.find("stays     it is the model's output"), std::string::npos) << table;
}

TEST(PruneCommand, WritesASmallerModelThatAnswersAlike) {
  const TestFolder folder;
  const std::string output = folder / "small.onnx";
  const Ran ran = Prune({"-o", output, "--target-macs", "0.9x", "--importance", "l1"});
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json::object report = ran.object();
  EXPECT_LE(Number(report, "after", "macs"), 0.9 * Number(report, "before", "macs"));
  EXPECT_GT(Number(report, "after", "macs"), 0.8 * Number(report, "before", "macs"));
  ASSERT_FALSE(report.at("fitted").as_array().empty());
  for (const auto& layer : report.at("fitted").as_array()) {
    EXPECT_LT(layer.at("error_after").as_double(), layer.at("error_before").as_double());
  }
  EXPECT_GT(report.at("quality").at("agreement").to_number<double>(), 50);
  const auto written = model::Model::Load(output).value();
  EXPECT_EQ(written.file_bytes(), static_cast<int64_t>(Number(report, "after", "bytes")));
  EXPECT_TRUE(written.graph().metadata.contains("pare.run"));
  EXPECT_TRUE(written.graph().metadata.contains("pare.preprocess.mean"));
}

TEST(PruneCommand, JudgesBySamplesAndLeavesWhatIsToBeKept) {
  const TestFolder folder;
  const Ran ran = Prune(
      Joined(KeepMost(), {"-o", folder / "small.onnx", "--target-macs", "0.95x", "--no-portable"}));
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json::object report = ran.object();
  int narrower = 0;
  for (const auto& group : report.at("groups").as_array()) {
    const int64_t size = group.at("size").as_int64(), after = group.at("after").as_int64();
    narrower += after < size;
    EXPECT_TRUE(after == size || (size == 16 && group.at("producers").as_int64() == 1));
  }
  EXPECT_GT(narrower, 0);
  EXPECT_LE(Number(report, "after", "macs"), 0.95 * Number(report, "before", "macs"));
}

TEST(PruneCommand, RecoversWithoutLabelsAndGoesOnFromACheckpoint) {
  const TestFolder folder;
  const std::string output = folder / "small.onnx", checkpoint = folder / "run.npz";
  const Arguments arguments{"-o",           output,    "--target-macs", "0.7x",    "--importance",
                            "l1",           "--limit", "100",           "--batch", "8",
                            "--validation", "8",       "--checkpoint",  checkpoint};
  const Ran first = PruneAndMaybeTrain(Joined(arguments, {"--steps", "2"}));
  ASSERT_EQ(first.code, 0) << first.out;
  const json::object report = first.object();
  const auto& recovery = report.at("recovery").as_object();
  EXPECT_EQ(recovery.at("steps").as_int64(), 2);
  // 40 of the 100 verify, 8 validate.
  EXPECT_EQ(recovery.at("training_samples").as_int64(), 52);
  EXPECT_EQ(recovery.at("score").as_string(), "agreement");
  EXPECT_TRUE(std::filesystem::exists(checkpoint + ".onnx"));
  const Ran again = PruneAndMaybeTrain(Joined(arguments, {"--steps", "2", "--resume"}));
  ASSERT_EQ(again.code, 0) << again.out;
  const json::object resumed = again.object();
  EXPECT_EQ(Number(resumed, "after", "macs"), Number(report, "after", "macs"));
  EXPECT_EQ(resumed.at("groups"), report.at("groups"));
  EXPECT_LE(Number(report, "after", "macs"), 0.7 * Number(report, "before", "macs"));
  const model::Model model = model::Model::Load(output).value();
  EXPECT_TRUE(model.graph().metadata.contains("pare.run"));
  EXPECT_FALSE(model.graph().metadata.contains("pare.cut"));

  // What the run left stays where another one is refused.
  const auto left = [&] {
    return ReadFile(checkpoint + ".onnx").value_or("") + ReadFile(output).value_or("");
  };
  const std::string before = left();
  const Ran unasked = PruneAndMaybeTrain(Joined(arguments, {"--steps", "2"}));
  EXPECT_EQ(unasked.code, 2);
  EXPECT_NE((unasked.out + unasked.err).find("the checkpoint is there already"), std::string::npos)
      << unasked.out;
  Arguments smaller = arguments;
  *std::ranges::find(smaller, "0.7x") = "0.5x";
  const Ran other = PruneAndMaybeTrain(Joined(smaller, {"--steps", "2", "--resume"}));
  EXPECT_EQ(other.code, 2);
  EXPECT_NE((other.out + other.err)
                .find("other options: --target-macs: the checkpoint was made with "
                      "0.7x, this run has 0.5x\n"),
            std::string::npos)
      << other.out;
  EXPECT_EQ(before, left());
}

TEST(PruneCommand, RemovesBlocks) {
  const TestFolder folder;
  const Ran ran = Prune({"-o", folder / "small.onnx", "--depth", "0.7"});
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json::object report = ran.object();
  EXPECT_EQ(report.at("blocks").as_int64(), 7);
  EXPECT_EQ(report.at("removed_blocks").as_array().size(), 2u);
  EXPECT_LT(Number(report, "after", "macs"), 0.8 * Number(report, "before", "macs"));
}

TEST(PruneCommand, MeasuresTimesForALatency) {
  const TestFolder folder;
  const Ran ran = Prune({"-o", folder / "small.onnx", "--target-latency", "0.9x", "--importance",
                         "l2", "--no-reconstruction"});
  // A busy machine, or one that is slow at this, may show no cut that is faster: then it says so.
  if (ran.code == 1) {
    EXPECT_EQ(ran.object().at("error").at("kind"), "unmet") << ran.out;
    return;
  }
  ASSERT_EQ(ran.code, 0) << ran.out;
  EXPECT_LT(Number(ran.object(), "after", "macs"), Number(ran.object(), "before", "macs"));
}

TEST(PruneCommand, IsTheSameEverywhereWhereNothingIsMeasured) {
  const TestFolder folder;
  const auto prune = [&](const std::string& output) {
    return Prune({"-o", output, "--target-macs", "0.6x", "--importance", "taylor", "--no-measure",
                  "--no-reconstruction"});
  };
  const Ran first = prune(folder / "a.onnx"), second = prune(folder / "b.onnx");
  ASSERT_EQ(first.code, 0) << first.out;
  EXPECT_EQ(first.object().at("groups"), second.object().at("groups"));
  EXPECT_EQ(first.object().at("quality"), second.object().at("quality"));
  EXPECT_LE(Number(first.object(), "after", "macs"),
            0.6 * Number(first.object(), "before", "macs"));
}

// The widths that may go hold a third of the multiplications, and an eighth of each stays.
TEST(PruneCommand, BlocksGoForATargetUnlessTheyAreToStay) {
  const TestFolder folder;
  const Arguments arguments =
      Joined(KeepMost(), {"-o", folder / "small.onnx", "--target-macs", "0.73x", "--importance",
                          "activation", "--no-measure", "--no-reconstruction"});
  const Ran with = Prune(arguments);
  ASSERT_EQ(with.code, 0) << with.out;
  EXPECT_EQ(with.object().at("blocks").as_int64(), 7);
  EXPECT_FALSE(with.object().at("removed_blocks").as_array().empty());
  EXPECT_EQ(Prune(Joined(arguments, {"--no-depth"})).code, 1);
}

TEST(PruneCommand, HoldsALimitOfTheDropOrWritesNothing) {
  const TestFolder folder;
  const std::string output = folder / "small.onnx";
  const Arguments arguments =
      Joined(KeepMost(), {"-o", output, "--importance", "activation", "--no-measure"});
  const Ran unmet = Prune(Joined(arguments, {"--max-drop", "-90"}));
  EXPECT_EQ(unmet.code, 1) << unmet.out;
  EXPECT_EQ(unmet.object().at("error").at("kind"), "unmet");
  EXPECT_FALSE(std::filesystem::exists(output));
  const Ran held = Prune(Joined(arguments, {"--max-drop", "20"}));
  ASSERT_EQ(held.code, 0) << held.out;
  const json::object report = held.object();
  const auto& quality = report.at("quality").as_object();
  const double drop =
      quality.at("top1_a").to_number<double>() - quality.at("top1_b").to_number<double>();
  EXPECT_LE(drop, 20);
  EXPECT_LT(Number(report, "after", "macs"), Number(report, "before", "macs"));
  EXPECT_EQ(model::Model::Load(output).value().file_bytes(),
            static_cast<int64_t>(Number(report, "after", "bytes")));
}

TEST(PruneCommand, ReachesATargetInRoundsAndGoesOnFromThoseThatAreKept) {
  const TestFolder folder;
  const std::string output = folder / "small.onnx", checkpoint = folder / "run.npz";
  const Arguments arguments{"-o",
                            output,
                            "--target-macs",
                            "0.6x",
                            "--rounds",
                            "2",
                            "--importance",
                            "l1",
                            "--no-measure",
                            "--steps",
                            "2",
                            "--batch",
                            "8",
                            "--limit",
                            "100",
                            "--validation",
                            "8",
                            "--no-reconstruction",
                            "--checkpoint",
                            checkpoint};
  const Ran ran = PruneAndMaybeTrain(arguments);
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json::object report = ran.object();
  EXPECT_LE(Number(report, "after", "macs"), 0.6 * Number(report, "before", "macs"));
  EXPECT_GT(Number(report, "after", "macs"), 0.5 * Number(report, "before", "macs"));
  EXPECT_EQ(report.at("recovery").at("steps").as_int64(), 2);
  EXPECT_EQ(report.at("groups").as_array().size(), 13u);
  EXPECT_TRUE(model::Model::Load(output).value().graph().metadata.contains("pare.run"));

  // As if it had been interrupted in its second round.
  const std::string whole = ReadFile(output).value();
  const auto first = std::filesystem::last_write_time(checkpoint + ".round-1.onnx");
  EXPECT_EQ(PruneAndMaybeTrain(arguments).code, 2);
  std::filesystem::remove(checkpoint + ".round-2");
  std::filesystem::remove(checkpoint + ".round-2.onnx");
  std::filesystem::remove(output);
  const Ran resumed = PruneAndMaybeTrain(Joined(arguments, {"--resume"}));
  ASSERT_EQ(resumed.code, 0) << resumed.out;
  EXPECT_EQ(ReadFile(output).value(), whole);
  EXPECT_EQ(std::filesystem::last_write_time(checkpoint + ".round-1.onnx"), first);
}

TEST(PruneCommand, HoldsALimitOfTheDropByTraining) {
  const TestFolder folder;
  const std::string output = folder / "small.onnx", checkpoint = folder / "run.npz";
  const Arguments arguments =
      Joined(KeepMost(), {"-o", output, "--max-drop", "20", "--importance", "l1", "--no-measure",
                          "--no-reconstruction", "--steps", "2", "--batch", "8", "--limit", "100",
                          "--validation", "8", "--checkpoint", checkpoint});
  const Ran ran = PruneAndMaybeTrain(arguments);
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json::object report = ran.object();
  EXPECT_LT(Number(report, "after", "macs"), Number(report, "before", "macs"));
  EXPECT_EQ(report.at("recovery").at("steps").as_int64(), 2);
  const auto& quality = report.at("quality").as_object();
  EXPECT_LE(quality.at("top1_a").to_number<double>() - quality.at("top1_b").to_number<double>(),
            20);
  // All cuts and runs are found again, so the same trials lead to the same model.
  const std::string whole = ReadFile(output).value();
  EXPECT_EQ(PruneAndMaybeTrain(arguments).code, 2);
  EXPECT_EQ(ReadFile(output).value(), whole);
  std::filesystem::remove(output);
  const Ran resumed = PruneAndMaybeTrain(Joined(arguments, {"--resume"}));
  ASSERT_EQ(resumed.code, 0) << resumed.out;
  EXPECT_EQ(ReadFile(output).value(), whole);
}

// The cut is no worse for it: it is what is written, and said to be.
TEST(PruneCommand, WritesTheCutWhereRecoveryIsNotFinite) {
  const TestFolder folder;
  const std::string output = folder / "small.onnx";
  const Ran ran = PruneAndMaybeTrain(
      Joined(KeepMost(), {"-o", output, "--target-macs", "0.8x", "--importance", "l1",
                          "--no-measure", "--no-reconstruction", "--steps", "4", "--batch", "8",
                          "--limit", "100", "--validation", "8", "--rate", "1e30"}));
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json::object report = ran.object();
  EXPECT_EQ(report.at("output").as_string(), output);
  EXPECT_EQ(report.at("recovery").at("best_step").as_int64(), 0);
  EXPECT_NE(json::serialize(report.at("notes")).find("training ended early"), std::string::npos);
  EXPECT_TRUE(model::Model::Load(output));
}

TEST(PruneCommand, TimesTheFormThatIsDeployed) {
  const TestFolder folder;
  const Ran ran = Prune({"-o", folder / "small.onnx", "--target-macs", "0.8x", "--importance", "l2",
                         "--for", "int8", "--no-reconstruction"});
  ASSERT_EQ(ran.code, 0) << ran.out;
  EXPECT_EQ(ran.object().at("for"), "int8");
  EXPECT_GT(Number(ran.object(), "before", "ms"), 0);
  EXPECT_LE(Number(ran.object(), "after", "macs"), 0.8 * Number(ran.object(), "before", "macs"));
}

TEST(PruneCommand, PlotsWhatGroupsLose) {
  const TestFolder folder;
  const std::string plot = folder / "sensitivity.svg";
  const Ran ran = PruneAndMaybeTrain(Joined(KeepMost(), {"--sensitivity", plot}));
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json::object report = ran.object();
  const auto& groups = report.at("groups").as_array();
  ASSERT_EQ(groups.size(), 3u);
  const auto& points = groups[0].at("points").as_array();
  ASSERT_GE(points.size(), 2u);
  EXPECT_GT(points.back().at("error").as_double(), points.front().at("error").as_double());
  EXPECT_LE(points.front().at("agreement").to_number<double>(), 100);
  EXPECT_TRUE(std::filesystem::exists(plot));
}

TEST(PruneCommand, MeetsASize) {
  const TestFolder folder;
  const std::string output = folder / "small.onnx";
  const Ran ran = Prune({"-o", output, "--target-size", "0.5x", "--importance", "l2", "--scope",
                         "layer", "--no-reconstruction"});
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json::object report = ran.object();
  EXPECT_LE(Number(report, "after", "bytes"), 0.5 * Number(report, "before", "bytes"));
  EXPECT_GT(Number(report, "after", "bytes"), 0.3 * Number(report, "before", "bytes"));
  EXPECT_TRUE(report.at("fitted").as_array().empty());
}

// Two numbers a sample may be the scores of two classes.
TEST(PruneCommand, RecoversValuesByTheirErrors) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "values.onnx", R"(
opset 17
input x: f32[N,6]
const w: f32[6,16] = random(1, -1, 1)
const v: f32[16,2] = random(2, -1, 1)
h = MatMul(x, w)
r = Relu(h)
y = MatMul(r, v)
output y
)"),
                    output = folder / "small.onnx";
  Tensor rows = Tensor::Make(DType::kF32, {80, 6}).value();
  Random random(2);
  for (float& x : rows.mutable_as<float>()) x = random.Normal();
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", rows));
  const auto prune = [&](const Arguments& more) {
    return Pare(Joined({"prune", model, "--data", folder / "x.npy", "-o", output, "--target-macs",
                        "0.6x", "--no-measure", "--calibration", "16", "--verification", "8",
                        "--steps", "12", "--batch", "8", "--seconds", "0.01"},
                       more));
  };
  const Ran guessed = prune({});
  ASSERT_EQ(guessed.code, 0) << guessed.err;
  EXPECT_NE(guessed.err.find("scores of 2 classes"), std::string::npos) << guessed.err;
  const Ran told = prune({"--values"});
  ASSERT_EQ(told.code, 0) << told.err;
  EXPECT_EQ(told.err.find("classes"), std::string::npos) << told.err;
  EXPECT_NE(told.out.find("snr"), std::string::npos) << told.out;
  EXPECT_NE(told.err.find("the learning rate is"), std::string::npos) << told.err;
  const auto written = model::Model::Load(output);
  ASSERT_TRUE(written);
  EXPECT_TRUE(written->graph().metadata.contains("pare.outputs"));
}

// What is written is in float32: the size of the float16 file needs a cut.
TEST(PruneCommand, TakesTheSizeOfAFloat16FileForATarget) {
  const TestFolder folder;
  const std::string half = SourcePath("tests/models/half_model.onnx"), output = folder / "o.onnx";
  Tensor pictures = Tensor::Make(DType::kF32, {32, 3, 6, 6}).value();
  Random random(3);
  for (float& x : pictures.mutable_as<float>()) x = random.Normal();
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", pictures));
  const auto prune = [&](const char* target) {
    return Pare({"prune", half, "--data", folder / "x.npy", "--target-size", target, "-o", output,
                 "--no-recover", "--no-measure", "--seconds", "0.01", "--json", "--quiet"});
  };
  const Ran cut = prune("1x");
  // This model's channels can't be cut, which is found out after the target was taken.
  EXPECT_NE(cut.err.find("no group of channels can be cut"), std::string::npos) << cut.err;
  const Ran whole = prune("9x");
  EXPECT_EQ(whole.code, 2);
  EXPECT_NE(whole.err.find("cuts nothing"), std::string::npos) << whole.err;
}

TEST(PruneCommand, BlocksGoWhateverTheTargetOfWidths) {
  const TestFolder folder;
  for (const Arguments& target : {Arguments{"--target-macs", "1x"}, {"--target-size", "900MB"}}) {
    const Ran ran = Prune(
        Joined({"-o", folder / "o.onnx", "--depth", "0.3", "--no-measure", "--no-reconstruction"},
               target));
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_LT(Number(ran.object(), "after", "macs"), Number(ran.object(), "before", "macs"));
  }
}

TEST(PruneCommand, RefusesWhatSaysTooLittleOrTooMuch) {
  const TestFolder folder;
  const std::string output = folder / "small.onnx";
  EXPECT_EQ(Prune({"-o", output}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--target-macs", "0.5x", "--target-size", "0.5x"}).code, 2);
  EXPECT_EQ(Prune({"--target-macs", "0.5x"}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--target-macs", "0.5x", "--importance", "taste"}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--target-macs", "0.5x", "--epochs", "2"}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--depth", "0"}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--depth", "0.5", "--no-depth"}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--target-latency", "0.5x", "--no-measure"}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--target-macs", "0.5x", "--max-drop", "1"}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--max-drop", "1", "--rounds", "2"}).code, 2);
  for (const char* target : {"--target-macs", "--target-latency"}) {
    const Ran whole = Prune({"-o", output, target, "1x"});
    EXPECT_EQ(whole.code, 2);
    EXPECT_NE(whole.err.find("a target of 1x or more cuts nothing"), std::string::npos)
        << whole.err;
  }
  for (const Arguments& more : {Arguments{"--target-macs", "500G"},
                                {"--target-size", "900MB"},
                                {"--target-size", "1x"},
                                {"--target-latency", "900000ms"}}) {
    const Ran whole = Prune(Joined({"-o", output}, more));
    EXPECT_EQ(whole.code, 2);
    EXPECT_NE(whole.err.find("of what the model has, and cuts nothing"), std::string::npos)
        << whole.err;
  }
  EXPECT_EQ(Prune({"-o", output, "--target-macs", "0.5x", "--for", "int4"}).code, 2);
  EXPECT_EQ(Pare({"prune", kNetwork, "-o", output, "--target-macs", "0.5x", "--no-recover"}).code,
            2);
  EXPECT_EQ(Prune({"-o", output, "--target-macs", "0.001x", "--importance", "l1"}).code, 1);
  EXPECT_FALSE(std::filesystem::exists(output));
  const std::string values = WriteModel(folder / "values.onnx", R"(
opset 17
input x: f32[N,6]
const w: f32[6,16] = random(1, -1, 1)
const v: f32[16,1] = random(2, -1, 1)
h = MatMul(x, w)
r = Relu(h)
y = MatMul(r, v)
output y
)");
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", Tensor::Zeros(DType::kF32, {40, 6}).value()));
  const Ran ran = Pare({"prune", values, "--data", folder / "x.npy", "-o", output, "--target-macs",
                        "0.5x", "--temperature", "2"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("--temperature has no effect"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace pare
