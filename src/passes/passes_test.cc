// Runs the text tests of tests/passes: a file for each pass, in it cases
//
//   == what the case shows
//   <graph before>
//   --
//   <graph after>
//
// Both graphs are evaluated, too, and must give the same, unless the title ends with "(not
// evaluated)". With PARE_UPDATE set in the environment the graphs after are written anew, to be
// reviewed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "graph/text.h"
#include "graph/verify.h"
#include "ops/node_view.h"
#include "passes/pipeline.h"
#include "passes/testing.h"

namespace pare::passes {
namespace {

struct Case {
  std::string title, before, after;
};

std::vector<Case> ReadCases(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<Case> cases;
  bool after = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("== ")) {
      cases.push_back({line.substr(3), "", ""});
      after = false;
    } else if (line == "--") {
      after = true;
    } else if (!line.empty() && !cases.empty()) {
      (after ? cases.back().after : cases.back().before) += line + '\n';
    }
  }
  return cases;
}

std::string RunCase(const Pass& pass, const Case& c) {
  auto graph = graph::Parse(c.before);
  if (!graph) return graph.error().message();
  PassContext context(*graph);
  if (const Status status = context.Infer(); !status) return status.error().message();
  const graph::Graph before = *graph;
  Status status = pass.run(context);
  if (status) status = graph::Verify(*graph);
  if (!status) return status.error().message();
  if (pass.name != "RemoveDead") graph->RemoveDead();
  const std::vector<Tensor> inputs = RandomInputs(before, 1);
  const auto expected = EvaluatePlainly(before, inputs);
  const auto actual = EvaluatePlainly(*graph, inputs);
  if (!c.title.ends_with("(not evaluated)")) {
    EXPECT_TRUE(expected) << expected.error().message();
    EXPECT_TRUE(actual) << actual.error().message();
    if (!expected || !actual) return "";
    // Integers may differ in the last place from floats that were rounded to them.
    const double tolerance = pass.name == "QdqToInteger" ? 2e-2 : 1e-4;
    EXPECT_EQ(Difference(*expected, *actual, tolerance), "");
  }
  return graph::Print(*graph, {.max_values = 8, .hashes = false});
}

TEST(Passes, EachHasTexts) {
  for (const auto passes : {SimplifyPasses(), QuantizePasses(), WidenPasses(), OptimizePasses(),
                            SaturatePasses(), TrainPasses(), StepPasses()}) {
    for (const Pass& pass : passes) {
      const auto path = Text(PARE_SOURCE_DIR "/tests/passes/", pass.name, ".pg");
      EXPECT_FALSE(ReadCases(path).empty()) << path;
      EXPECT_EQ(FindPass(pass.name)->run, pass.run);
    }
  }
}

TEST(Passes, TextsBeforeAndAfter) {
  const bool update = std::getenv("PARE_UPDATE") != nullptr;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PARE_SOURCE_DIR "/tests/passes")) {
    if (entry.path().extension() != ".pg") continue;
    ++files;
    const Pass* pass = FindPass(entry.path().stem().string());
    ASSERT_TRUE(pass) << entry.path();
    std::string written;
    for (const Case& c : ReadCases(entry.path())) {
      SCOPED_TRACE(Text(pass->name, ": ", c.title));
      const std::string actual = RunCase(*pass, c);
      if (!update) {
        EXPECT_EQ(actual, c.after);
      }
      written += Text("== ", c.title, "\n", c.before, "--\n", actual, "\n");
    }
    if (update) std::ofstream(entry.path()) << written;
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace pare::passes
