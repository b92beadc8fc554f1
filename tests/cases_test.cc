// tests/cases and tests/models: one operator or one small model each, against what ONNX Runtime
// answered.
#include <set>

#include "onnx/import.h"
#include "ops/op_def.h"
#include "running.h"

namespace pare {
namespace {

namespace fs = std::filesystem;

struct Case {
  std::string name;  // for gtest: letters, digits, _
  fs::path model, folder;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::string TestName(std::string name) {
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

std::vector<Case> OperatorCases() {
  std::vector<Case> cases;
  for (const fs::path& op : Sorted(SourcePath("tests/cases"))) {
    if (!fs::is_directory(op)) continue;
    for (const fs::path& folder : Sorted(op)) {
      const std::string name = op.filename().string() + "_" + folder.filename().string();
      cases.push_back({TestName(name), folder / "model.onnx", folder});
    }
  }
  return cases;
}

std::vector<Case> ModelCases() {
  std::vector<Case> cases;
  for (const fs::path& model : SmallModels()) {
    for (const fs::path& folder : Sorted(fs::path(model).replace_extension())) {
      const std::string name = model.stem().string() + "_" + folder.filename().string();
      cases.push_back({TestName(name), model, folder});
    }
  }
  return cases;
}

Tolerance ToleranceOf(const Case& c, const Tensor& want) {
  if (c.name.starts_with("half_")) return {2e-3, 2e-3};
  if (c.name.starts_with("bert_")) return {1e-4, 1e-4};
  if (c.name.starts_with("qdq_cnn")) return {0.031, 0};  // one step of its grid
  if (c.name.starts_with("qdq_noisy")) return {0.0236, 0};
  return want.dtype() == DType::kF16 ? Tolerance{1e-3, 1e-3} : Tolerance{};
}

// Their output's shape follows from values that are computed while the model runs, and pare plans a
// run before it starts: they must say so.
constexpr std::string_view kShapeFromData[] = {
    "Compress_axis_1",       "ConstantOfShape_default",
    "ConstantOfShape_float", "ConstantOfShape_zero_length",
    "Expand_dynamic",        "NonZero_basic",
    "Range_empty",           "Range_float",
    "Range_int64",           "Range_int64_negative",
    "Reshape_dynamic",       "Slice_dynamic"};

bool HasShapeFromData(const Case& c) {
  return std::find(std::begin(kShapeFromData), std::end(kShapeFromData), c.name) !=
         std::end(kShapeFromData);
}

class ExpectedOutputs : public ::testing::TestWithParam<Case> {};

TEST_P(ExpectedOutputs, Hold) {
  const Case& c = GetParam();
  const auto inputs = LoadNumbered(c.folder, "input");
  const auto want = LoadNumbered(c.folder, "output");
  ASSERT_FALSE(want.empty());
  const auto got = RunModel(c.model, inputs);
  if (HasShapeFromData(c)) {
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind(), ErrorKind::kUnsupported);
    EXPECT_NE(got.error().message().find("depends on the data"), std::string::npos);
    return;
  }
  ASSERT_TRUE(got) << got.error().message();
  ASSERT_EQ(got->size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_TRUE(Near((*got)[i], want[i], ToleranceOf(c, want[i]))) << "output " << i;
  }
}

TEST(OperatorCases, CoverTheTable) {
  std::set<std::string> seen;
  for (const fs::path& op : Sorted(SourcePath("tests/cases"))) seen.insert(op.filename());
  for (const fs::path& model : SmallModels()) {
    const auto graph = onnx::Import(model);
    ASSERT_TRUE(graph) << graph.error().message();
    for (graph::NodeId id : graph->Order()) seen.insert(graph->node(id).op);
  }
  for (const ops::OpDef* op : ops::AllOps()) {
    const std::string name(op->name);
    EXPECT_TRUE(name.starts_with("pare.") || seen.contains(name)) << name << " is in no case";
  }
}

INSTANTIATE_TEST_SUITE_P(Operator, ExpectedOutputs, ::testing::ValuesIn(OperatorCases()),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Model, ExpectedOutputs, ::testing::ValuesIn(ModelCases()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pare
