// `pare design` from its command line to a student that can be taught.
#include <boost/json.hpp>
#include <sstream>

#include "cli/command.h"
#include "demo.h"
#include "platform/test_folder.h"
#include "running.h"
#include "running_pare.h"
#include "train/parameters.h"

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
  EXPECT_GT(Macs(quarter.report, "after"), 0.85 * 0.25 * Macs(quarter.report, "before"));
  EXPECT_LT(quarter.report.at("width").as_double(), 0.6);
  const json::object& target = quarter.report.at("target").as_object();
  EXPECT_EQ(target.at("unit"), "macs");
  EXPECT_EQ(target.at("most").to_number<double>(), 0.25);
  EXPECT_EQ(target.at("predicted"), target.at("reached"));
  EXPECT_TRUE(target.at("met").as_bool());
}

// Times are not held against numbers; what is told of them must fit together.
TEST(DesignCommand, HoldsAMeasuredTimeAgainstTheTarget) {
  const TestFolder folder;
  for (const char* part : {"0.6x", "0.95x"}) {
    const Designed made =
        Design({"design", kTeacher, "-o", folder / "s.onnx", "--target-latency", part});
    ASSERT_EQ(made.code, 0) << json::serialize(made.report);
    const json::object& target = made.report.at("target").as_object();
    const double most = target.at("most").to_number<double>();
    const double reached = target.at("reached").to_number<double>();
    const auto ms = [&](const char* side) {
      return made.report.at(side).as_object().at("ms").to_number<double>();
    };
    EXPECT_EQ(target.at("unit"), "ms");
    EXPECT_TRUE(target.at("relative").as_bool());
    EXPECT_LE(target.at("predicted").to_number<double>(), most);
    EXPECT_GT(target.at("predicted").to_number<double>(), 0);
    EXPECT_NEAR(reached, ms("after") / ms("before"), 1e-6);
    EXPECT_EQ(target.at("met").as_bool(), reached <= most);
    EXPECT_EQ(Has(json::serialize(made.report.at("notes")), "the target is missed"),
              reached > most);
  }
  const Ran text =
      Pare({"design", kTeacher, "-o", folder / "s.onnx", "--target-latency", "1000ms"});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_TRUE(Has(text.out, "target 1000")) << text.out;
  EXPECT_TRUE(Has(text.out, "predicted")) << text.out;
  EXPECT_TRUE(Has(text.out, ": met")) << text.out;
}

TEST(DesignCommand, MakesSeparableStudents) {
  const TestFolder folder;
  const std::string student = folder / "student.onnx";
  const Designed pairs =
      Design({"design", kTeacher, "-o", student, "--separable", "--keep", "/layer1/*"});
  ASSERT_EQ(pairs.code, 0) << json::serialize(pairs.report);
  // Of 18 convolutions behind the first the six of the first stage stay dense.
  const json::array& separated = pairs.report.at("separated").as_array();
  ASSERT_EQ(separated.size(), 12u);
  for (const json::value& layer : separated) {
    const double explained = layer.as_object().at("explained").to_number<double>();
    EXPECT_GT(explained, 1.0 / 9);
    EXPECT_LT(explained, 1);
    EXPECT_EQ(layer.as_object().at("filters").as_array().size(), 4u);
  }
  const graph::Graph written = model::Model::Load(student, train::kTrainable)->graph();
  int depthwise = 0, norms = 0;
  for (graph::NodeId id : written.Order()) {
    const graph::Node& node = written.node(id);
    EXPECT_FALSE(node.op.starts_with("pare."));
    depthwise += node.op == "Conv" && node.attrs.i("group", 1) > 1;
    if (node.op != "BatchNormalization") continue;
    ++norms;
    EXPECT_EQ(written.producer_of(node.inputs[0])->attrs.i("group", 1), 1);
  }
  EXPECT_EQ(depthwise, 12);
  EXPECT_EQ(norms, 19);
  const Ran text =
      Pare({"design", kTeacher, "-o", student, "--separable", "--target-macs", "0.1x"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find("depthwise and 1x1 instead of"), std::string::npos) << text.out;
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
