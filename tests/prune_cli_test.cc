// `pare prune` from its command line to a smaller file.
#include <boost/json.hpp>

#include "platform/test_folder.h"
#include "running.h"
#include "running_pare.h"

namespace pare {
namespace {

namespace json = boost::json;

const std::string kNetwork = SourcePath("examples/demo/resnet20_cifar10_fp32.onnx");
const std::string kPhotos = SourcePath("examples/demo/cifar10_test_2000.bin");

Ran Prune(const Arguments& more) {
  Arguments arguments{"prune",          kNetwork,
                      "--data",         kPhotos,
                      "--mean",         "0.485,0.456,0.406",
                      "--std",          "0.229,0.224,0.225",
                      "--calibration",  "24",
                      "--verification", "40",
                      "--seconds",      "0.05",
                      "--no-recover",   "--json",
                      "--quiet"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return Pare(arguments);
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
  // All but the inner widths of the first stage.
  const Ran free = Pare({"prune", kNetwork, "--list", "--json"});
  Arguments arguments{"-o", folder / "small.onnx", "--target-macs", "0.95x", "--no-portable"};
  std::vector<std::string> kept;
  const json::object listed = free.object();
  for (const auto& group : listed.at("groups").as_array()) {
    const bool inner = group.at("size").as_int64() == 16 && group.at("producers").as_int64() == 1;
    if (inner) continue;
    kept.emplace_back(group.at("name").as_string());
    arguments.insert(arguments.end(), {"--keep", kept.back()});
  }
  const Ran ran = Prune(arguments);
  ASSERT_EQ(ran.code, 0) << ran.out;
  const json::object report = ran.object();
  for (const auto& group : report.at("groups").as_array()) {
    const std::string name(group.at("name").as_string());
    if (std::ranges::find(kept, name) == kept.end()) continue;
    EXPECT_EQ(group.at("after").as_int64(), group.at("size").as_int64()) << name;
  }
  EXPECT_LE(Number(report, "after", "macs"), 0.95 * Number(report, "before", "macs"));
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

TEST(PruneCommand, RefusesWhatSaysTooLittleOrTooMuch) {
  const TestFolder folder;
  const std::string output = folder / "small.onnx";
  EXPECT_EQ(Prune({"-o", output}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--target-macs", "0.5x", "--target-size", "0.5x"}).code, 2);
  EXPECT_EQ(Prune({"--target-macs", "0.5x"}).code, 2);
  EXPECT_EQ(Prune({"-o", output, "--target-macs", "0.5x", "--importance", "taste"}).code, 2);
  EXPECT_EQ(Pare({"prune", kNetwork, "-o", output, "--target-macs", "0.5x", "--no-recover"}).code,
            2);
  EXPECT_EQ(Prune({"-o", output, "--target-macs", "0.001x", "--importance", "l1"}).code, 1);
  EXPECT_FALSE(std::filesystem::exists(output));
}

}  // namespace
}  // namespace pare
