// Replay: what pare makes of a model is committed text, and a refactor leaves it as it is.
// tests/replay/<model>.pg is the optimized graph; <model>.<isa>.txt says for each node which
// kernels run and where its results lie. Kernels are chosen for a CPU that is named, not for this
// machine, and nothing is run: the texts are the same everywhere. PARE_UPDATE_REPLAY=1 writes them.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "graph/text.h"
#include "passes/bind.h"
#include "passes/pipeline.h"
#include "running.h"

namespace pare {
namespace {

namespace fs = std::filesystem;

struct Subject {
  const char* model;
  int64_t batch = 1;
  int64_t other = 1;  // where a dimension is free that is not the batch
};

constexpr Subject kSubjects[] = {
    {"examples/demo/resnet20_cifar10_fp32.onnx"},
    {"tests/models/attention_block.onnx", 2},
    {"tests/models/bert_erf_opset13.onnx", 1, 16},
    {"tests/models/cnn_residual.onnx", 2},
    {"tests/models/fire_block.onnx"},
    {"tests/models/lstm_step.onnx", 1, 4},
    {"tests/models/mobile_block.onnx"},
    {"tests/models/qdq_cnn.onnx", 2},
};

constexpr Isa kIsas[] = {
    Isa::kScalar,
#if defined(__x86_64__)
    Isa::kAvx2,
    Isa::kAvx512,
    Isa::kAvx512Vnni,
#endif
};

// What rows say of a shape (cost, tasks, bytes) is compiled with their ISA's flags: arithmetic with
// few numbers, for which g++ is told to use nothing later than AVX (cmake/rooms.cmake). `make
// check` runs this without AVX-512. Clang can't be told so: there the CPU has to have what it asks
// of.
bool CanAsk(Isa isa) {
#if defined(__clang__)
  return DetectCpu().has(isa);
#else
  return isa == Isa::kScalar || DetectCpu().has(Isa::kAvx2);
#endif
}

void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.model; }

fs::path ReplayPath(const Subject& subject, std::string_view ending) {
  return SourcePath("tests/replay") / Text(fs::path(subject.model).stem().string(), ending);
}

std::string ReadText(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// As diff -u shows it: the committed text against what is made now.
std::string Difference(const fs::path& committed, const std::string& now) {
  const fs::path made = fs::temp_directory_path() / Text("pare_replay_", getpid());
  std::ofstream(made, std::ios::binary) << now;
  const std::string command = Text("diff -u --label committed --label now '", committed.string(),
                                   "' '", made.string(), "' 2>&1");
  std::string difference;
  if (FILE* pipe = popen(command.c_str(), "r")) {
    char part[4096];
    while (const size_t size = std::fread(part, 1, sizeof part, pipe))
      difference.append(part, size);
    pclose(pipe);
  }
  fs::remove(made);
  return difference;
}

void Compare(const fs::path& committed, const std::string& now) {
  if (std::getenv("PARE_UPDATE_REPLAY")) {
    std::ofstream(committed, std::ios::binary) << now;
    return;
  }
  if (ReadText(committed) == now) return;
  ADD_FAILURE() << committed.filename().string() << " is no longer what pare makes:\n"
                << Difference(committed, now)
                << "If that is meant, `make replay` writes the new text; commit it with the change "
                   "and say why.";
}

std::vector<Dims> ShapesOf(const graph::Graph& graph, const Subject& subject) {
  std::vector<Dims> shapes;
  for (data::InputSpec& input : model::InputSpecs(graph)) {
    for (size_t axis = 0; axis < input.shape.size(); ++axis) {
      if (input.shape[axis] < 0) input.shape[axis] = axis == 0 ? subject.batch : subject.other;
    }
    shapes.emplace_back(input.shape.begin(), input.shape.end());
  }
  return shapes;
}

std::string LocationText(const runtime::Location& at) {
  using Kind = runtime::Location::Kind;
  switch (at.kind) {
    case Kind::kNone:
      return "-";
    case Kind::kInput:
      return Text("input ", at.index);
    case Kind::kOutput:
      return Text("output ", at.index);
    case Kind::kConstant:
      return "constant";
    case Kind::kArena:
      return Text("@", at.index);
  }
  return "?";
}

// <operator> <layer> | <kernel>*<tasks>, … | <results> [| <temporaries>]
std::string NodeText(const runtime::PlanNode& node) {
  std::string text = Text(node.op, " ", node.name, " |");
  const char* between = " ";
  for (const ops::Step& step : node.steps) {
    text += Text(between, step.kernel, "*", step.tasks);
    between = ", ";
  }
  between = " | ";
  for (const runtime::Location& output : node.outputs) {
    text += Text(between, LocationText(output));
    between = ", ";
  }
  between = " | ";
  for (const runtime::Location& temp : node.temps) {
    text += Text(between, LocationText(temp));
    between = ", ";
  }
  return text + "\n";
}

std::string PlanText(const runtime::Plan& plan, size_t packed_bytes) {
  std::string text = Text("bytes: arena ", plan.arena_bytes, ", scratch of a worker ",
                          plan.scratch_bytes, ", packed ", packed_bytes, "\n");
  for (const runtime::PlanNode& node : plan.nodes) text += NodeText(node);
  for (const runtime::Copy& copy : plan.copies) {
    text += Text("copy ", LocationText(copy.from), " | ", LocationText(copy.to), "\n");
  }
  return text;
}

class Replay : public ::testing::TestWithParam<Subject> {};

// The graph and the plan are made as a session makes them.
TEST_P(Replay, IsAsCommitted) {
  const Subject subject = GetParam();
  const auto model = model::Model::Load(SourcePath(subject.model));
  ASSERT_TRUE(model) << model.error().message();
  graph::Graph optimized = model->graph();
  ASSERT_TRUE(passes::Optimize(optimized));
  auto graph = passes::BindShapes(optimized, ShapesOf(optimized, subject));
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(passes::Optimize(*graph));
  Compare(ReplayPath(subject, ".pg"), graph::Print(*graph));
  for (const Isa isa : kIsas) {
    if (!CanAsk(isa)) continue;
    const Cpu cpu{.isas = ImpliedIsas(isa)};
    ops::PackCache packs(ops::PackCache::Filling::kNever);
    const auto plan = runtime::Compile(*graph, {cpu, packs});
    ASSERT_TRUE(plan) << plan.error().message();
    Compare(ReplayPath(subject, Text(".", IsaName(isa), ".txt")), PlanText(**plan, packs.bytes()));
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Replay, ::testing::ValuesIn(kSubjects), [](const auto& info) {
  return fs::path(info.param.model).stem().string();
});

}  // namespace
}  // namespace pare
