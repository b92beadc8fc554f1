// `pare train` and `pare distill` from their command lines to their files.
#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <sstream>

#include "cli/command.h"
#include "data/npy.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "running.h"
#include "train/parameters.h"

namespace pare {
namespace {

namespace json = boost::json;
using Arguments = std::vector<std::string>;

const std::string kModel = SourcePath("examples/demo/resnet20_cifar10_fp32.onnx");
const std::string kPictures = SourcePath("examples/demo/cifar10_test_2000.bin");

struct Ran {
  int code;
  std::string out, err;
};

Ran Pare(Arguments arguments) {
  std::ostringstream out, err;
  cli::Console console(out, err, {});
  const int code = cli::Main(arguments, console);
  return {code, out.str(), err.str()};
}

// Two small steps, on a few pictures; an option in `arguments` goes before its own.
Arguments Short(Arguments arguments) {
  const std::pair<const char*, std::string> run[] = {{"--data", kPictures},
                                                     {"--mean", "0.485,0.456,0.406"},
                                                     {"--std", "0.229,0.224,0.225"},
                                                     {"--limit", "40"},
                                                     {"--steps", "2"},
                                                     {"--batch", "4"},
                                                     {"--rate", "0.001"},
                                                     {"--validation", "8"},
                                                     {"--threads", "2"}};
  const Arguments given = arguments;
  for (const auto& [name, value] : run) {
    if (std::find(given.begin(), given.end(), name) != given.end()) continue;
    arguments.insert(arguments.end(), {name, value});
  }
  return arguments;
}

std::string Content(const std::string& path) { return ReadFile(path).value_or(""); }

TEST(TrainCommand, TracesWhatItComputesWith) {
  const TestFolder folder;
  const Ran ran = Pare(Short({"train", kModel, "-o", folder / "tuned.onnx", "--trace",
                              folder / "trace", "--mixup", "0.2", "--parts", "2"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto start = data::LoadNpz(folder / "trace/start.npz");
  ASSERT_TRUE(start) << start.error().message();
  const auto named = [](const data::NamedTensors& arrays, std::string_view name) {
    return std::any_of(arrays.begin(), arrays.end(),
                       [&](const auto& a) { return a.first == name; });
  };
  EXPECT_TRUE(named(*start, "now/conv1.weight"));
  for (const char* part : {"1_0", "1_1", "2_0", "2_1"}) {
    const auto step = data::LoadNpz(folder / Text("trace/step_00000", part, ".npz"));
    ASSERT_TRUE(step) << step.error().message();
    for (const char* name : {"input/input", "labels", "loss", "rate", "partner", "weight"})
      EXPECT_TRUE(named(*step, name)) << name;
  }
}

TEST(TrainCommand, WritesAModelItsCurveAndAReport) {
  const TestFolder folder;
  const std::string output = folder / "tuned.onnx";
  const Ran ran = Pare(Short({"train", kModel, "-o", output, "--curve", folder / "curve", "--json",
                              "--flip", "--crop-pad", "2"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = json::parse(ran.out).as_object();
  EXPECT_EQ(report.at("score").as_string(), "top-1");
  EXPECT_EQ(report.at("steps").as_int64(), 2);
  EXPECT_EQ(report.at("training_samples").as_int64(), 32);
  EXPECT_EQ(report.at("validation_samples").as_int64(), 8);
  EXPECT_EQ(report.at("history").as_array().size(), 1);
  EXPECT_TRUE(Content(folder / "curve.csv").starts_with("step,epoch,loss,rate,score,seconds\n2,"));
  EXPECT_TRUE(Content(folder / "curve.svg").starts_with("<svg"));

  // The normalisations are still there, the weights are others, and preprocessing is stored.
  const auto before = model::Model::Load(kModel, train::kTrainable).value();
  const auto after = model::Model::Load(output, train::kTrainable).value();
  EXPECT_EQ(before.graph().Order().size(), after.graph().Order().size());
  EXPECT_TRUE(after.graph().metadata.contains("pare.run"));
  EXPECT_EQ(Pare({"evaluate", output, "--data", kPictures, "--limit", "40"}).code, 0);
  EXPECT_NE(Content(kModel), Content(output));
}

TEST(TrainCommand, GivesTheSameFileAgainAndAfterAStop) {
  const TestFolder folder;
  const auto train = [&](const std::string& output, Arguments more) {
    Arguments arguments = Short({"train", kModel, "-o", output, "--quiet"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Pare(arguments);
  };
  const std::string once = folder / "once.onnx", again = folder / "again.onnx";
  ASSERT_EQ(train(once, {}).code, 0);
  // One step, a checkpoint, and on from there.
  const Arguments kept = {"--checkpoint", folder / "run.npz", "--validate-every", "1"};
  ASSERT_EQ(train(folder / "first.onnx", kept).code, 0);
  Arguments resumed = kept;
  resumed.push_back("--resume");
  ASSERT_EQ(train(again, resumed).code, 0);
  EXPECT_EQ(Content(folder / "first.onnx"), Content(again));
  ASSERT_EQ(train(again, {}).code, 0);
  EXPECT_EQ(Content(once), Content(again));
}

TEST(TrainCommand, SaysWhatIsWrong) {
  const TestFolder folder;
  const auto error = [&](Arguments more) {
    Arguments arguments = {"train", kModel, "-o", folder / "x.onnx"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = Pare(Short(arguments));
    EXPECT_NE(ran.code, 0);
    EXPECT_FALSE(std::filesystem::exists(folder / "x.onnx"));
    return ran.err;
  };
  EXPECT_NE(error({"--freeze", "no_such*"}).find("no weight is called \"no_such*\""),
            std::string::npos);
  EXPECT_NE(error({"--freeze", "*"}).find("nothing to train"), std::string::npos);
  EXPECT_NE(error({"--batch", "64"}).find("fewer than a batch of 64"), std::string::npos);
  EXPECT_NE(error({"--schedule", "linear"}).find("no schedule"), std::string::npos);
  EXPECT_NE(error({"--rate", "1e30"}).find("not finite"), std::string::npos);
}

TEST(DistillCommand, BringsAStudentNearerToItsTeacher) {
  const TestFolder folder;
  const std::string output = folder / "student.onnx";
  const Ran ran = Pare(Short({"distill", "--teacher", kModel, "--student", kModel, "-o", output,
                              "--json", "--cache", folder / "answers.npz"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = json::parse(ran.out).as_object();
  EXPECT_EQ(report.at("score").as_string(), "agreement");
  EXPECT_EQ(report.at("score_before").to_number<double>(), 100);  // it is its own teacher
  EXPECT_TRUE(std::filesystem::exists(output));
  EXPECT_TRUE(std::filesystem::exists(folder / "answers.npz"));
}

TEST(DistillCommand, TakesHintsLabelsAndRefusesWhatDoesNotFit) {
  const TestFolder folder;
  const auto distill = [&](Arguments more) {
    Arguments arguments =
        Short({"distill", "--teacher", kModel, "--student", kModel, "-o", folder / "s.onnx"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Pare(arguments);
  };
  const std::string layer = "/layer1/layer1.0/Relu_1_output_0",
                    other = "/layer3/layer3.0/Relu_1_output_0";
  const Ran all = distill({"--hint", layer + "=" + layer, "--attention", layer + "=" + layer,
                           "--relation-weight", "0.1", "--alpha", "0.5"});
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_NE(distill({"--hint", layer + "=" + other}).err.find("same extents"), std::string::npos);
  EXPECT_NE(distill({"--hint", "nothing=" + layer}).err.find("no value \"nothing\""),
            std::string::npos);
  EXPECT_NE(distill({"--hint", layer}).err.find("names no pair"), std::string::npos);
}

}  // namespace
}  // namespace pare
