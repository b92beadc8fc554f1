// Gradients against central differences of the forward pass, for each graph in tests/gradients/*.pg
// (several in a file, between lines of ---). The loss is Σ y·r over all outputs, with random r.
// What is differentiated by: every `param`. Each graph runs as written and optimized.
#include "gradients.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

namespace pare {
namespace {

using graph::ValueId;

const std::filesystem::path kFolder = std::filesystem::path(PARE_SOURCE_DIR) / "tests/gradients";

struct Case {
  std::string name;
  std::string text;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.text; }

std::vector<Case> ReadCases() {
  std::vector<Case> cases;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    std::ifstream file(entry.path());
    const std::string stem = entry.path().stem();
    int number = 1;
    Case now{stem + "_1", ""};
    for (std::string line; std::getline(file, line);) {
      if (line != "---") {
        now.text += line + "\n";
        continue;
      }
      cases.push_back(now);
      now = {Text(stem, "_", ++number), ""};
    }
    cases.push_back(now);
  }
  return cases;
}

class Gradients : public testing::TestWithParam<Case> {};

TEST_P(Gradients, AreSlopes) { gradients::Check(GetParam().text); }

INSTANTIATE_TEST_SUITE_P(All, Gradients, testing::ValuesIn(ReadCases()),
                         [](const auto& info) { return info.param.name; });

// The operators that a gradient passes on its way from an output to a parameter.
void AddPassed(graph::Graph graph, std::set<std::string>& passed) {
  ASSERT_TRUE(ops::InferTypes(graph));
  const std::vector<graph::NodeId> order = graph.Order();
  std::vector<bool> moves(graph.value_count(), false), asked(graph.value_count(), false);
  const auto any = [](const std::vector<ValueId>& ids, const std::vector<bool>& of) {
    return std::ranges::any_of(
        ids, [&](ValueId id) { return id != ValueId::kNone && of[static_cast<size_t>(id)]; });
  };
  for (const ValueId id : gradients::Parameters(graph)) moves[static_cast<size_t>(id)] = true;
  for (const graph::NodeId id : order) {
    for (const ValueId output : graph.node(id).outputs) {
      if (output == ValueId::kNone || !IsFloat(graph.value(output).type.dtype)) continue;
      moves[static_cast<size_t>(output)] = any(graph.node(id).inputs, moves);
    }
  }
  for (const graph::Output& output : graph.outputs())
    asked[static_cast<size_t>(output.value)] = true;
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    const graph::Node& node = graph.node(*id);
    if (!any(node.outputs, asked)) continue;
    if (any(node.inputs, moves) && any(node.outputs, moves)) passed.insert(node.op);
    for (const ValueId input : node.inputs) {
      if (input != ValueId::kNone) asked[static_cast<size_t>(input)] = true;
    }
  }
}

// A gradient passes every operator that has one, in some case.
TEST(GradientCases, CoverTheTable) {
  std::set<std::string> seen;
  for (const Case& one : ReadCases()) {
    const auto graph = graph::Parse(one.text);
    ASSERT_TRUE(graph) << one.name << ": " << graph.error().message();
    AddPassed(*graph, seen);
  }
  for (const ops::OpDef* op : ops::AllOps()) {
    if (!op->grad.emit) continue;
    EXPECT_TRUE(seen.contains(std::string(op->name)))
        << op->name << " stands in no case where a gradient passes it";
  }
}

}  // namespace
}  // namespace pare
