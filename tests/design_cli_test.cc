// `pare design` from its command line to a student that can be taught.
#include <boost/json.hpp>
#include <sstream>

#include "cli/command.h"
#include "platform/test_folder.h"
#include "running.h"
#include "running_pare.h"

namespace pare {
namespace {

namespace json = boost::json;

const std::string kTeacher = SourcePath("examples/demo/resnet20_cifar10_fp32.onnx");
const std::string kPictures = SourcePath("examples/demo/cifar10_test_2000.bin");

struct Designed {
  int code;
  json::object report;
};

Designed Design(Arguments arguments) {
  arguments.push_back("--json");
  const Ran ran = Pare(arguments);
  return {ran.code, ran.object()};
}

double Macs(const json::object& report, const char* side) {
  return report.at(side).as_object().at("macs").to_number<double>();
}

TEST(DesignCommand, WritesAStudentThatCanBeTaught) {
  const TestFolder folder;
  const std::string student = folder / "student.onnx";
  const Designed half =
      Design({"design", kTeacher, "-o", student, "--width", "0.5", "--depth", "0.5"});
  ASSERT_EQ(half.code, 0) << json::serialize(half.report);
  // Three stages of three blocks, of which two do not change the shape.
  EXPECT_EQ(half.report.at("blocks").as_int64(), 7);
  EXPECT_EQ(half.report.at("removed_blocks").as_array().size(), 3);
  EXPECT_LT(Macs(half.report, "after"), 0.2 * Macs(half.report, "before"));
  EXPECT_GT(Macs(half.report, "after"), 0.1 * Macs(half.report, "before"));
  const auto& last = half.report.at("groups").as_array().back().as_object();
  EXPECT_EQ(last.at("after").as_int64(), 10);
  EXPECT_FALSE(last.at("why_not").as_string().empty());

  const auto teacher = model::Model::Load(kTeacher).value();
  const auto written = model::Model::Load(student).value();
  EXPECT_LT(written.file_bytes(), teacher.file_bytes() / 4);
  for (const auto& [key, value] : teacher.graph().metadata) {
    EXPECT_EQ(written.graph().metadata.at(key), value);
  }
  EXPECT_TRUE(written.graph().metadata.contains("pare.run"));
  const Designed taught = Design({"distill",
                                  "--teacher",
                                  kTeacher,
                                  "--student",
                                  student,
                                  "--data",
                                  kPictures,
                                  "-o",
                                  folder / "taught.onnx",
                                  "--mean",
                                  "0.485,0.456,0.406",
                                  "--std",
                                  "0.229,0.224,0.225",
                                  "--limit",
                                  "24",
                                  "--steps",
                                  "2",
                                  "--batch",
                                  "4",
                                  "--validation",
                                  "8"});
  EXPECT_EQ(taught.code, 0) << json::serialize(taught.report);
}

TEST(DesignCommand, SearchesForATarget) {
  const TestFolder folder;
  const Designed quarter =
      Design({"design", kTeacher, "-o", folder / "s.onnx", "--target-macs", "0.25x"});
  ASSERT_EQ(quarter.code, 0) << json::serialize(quarter.report);
  EXPECT_LE(Macs(quarter.report, "after"), 0.25 * Macs(quarter.report, "before"));
  EXPECT_GT(Macs(quarter.report, "after"), 0.15 * Macs(quarter.report, "before"));
  EXPECT_LT(quarter.report.at("width").as_double(), 0.6);
}

TEST(DesignCommand, RefusesWhatSaysTooLittleOrTooMuch) {
  const TestFolder folder;
  const std::string output = folder / "s.onnx";
  const auto code = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments{"design", kTeacher, "-o", output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Design(arguments).code;
  };
  EXPECT_EQ(code({}), 2);
  EXPECT_EQ(code({"--width", "0"}), 2);
  EXPECT_EQ(code({"--width", "0.5", "--target-macs", "0.3x"}), 2);
  EXPECT_EQ(code({"--target-macs", "1M", "--target-latency", "1ms"}), 2);
  EXPECT_EQ(code({"--width", "0.5", "--keep", "no_such_layer"}), 2);
  EXPECT_FALSE(std::filesystem::exists(output));
}

}  // namespace
}  // namespace pare
