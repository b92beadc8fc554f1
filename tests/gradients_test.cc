// Gradients against central differences of the forward pass, for each graph in tests/gradients/*.pg
// (several in a file, between lines of ---). The loss is Σ y·r over all outputs, with random r.
// What is differentiated by: every `param`. Each graph runs as written and optimized.
#include "gradients.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

namespace pare {
namespace {

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

// Every operator with a gradient stands in some case.
TEST(GradientCases, CoverTheTable) {
  std::set<std::string> seen;
  for (const Case& one : ReadCases()) {
    const auto graph = graph::Parse(one.text);
    ASSERT_TRUE(graph) << one.name << ": " << graph.error().message();
    for (graph::NodeId id : graph->Order()) seen.insert(graph->node(id).op);
  }
  for (const ops::OpDef* op : ops::AllOps()) {
    if (!op->grad.emit) continue;
    EXPECT_TRUE(seen.contains(std::string(op->name))) << op->name << " is in no case";
  }
}

}  // namespace
}  // namespace pare
