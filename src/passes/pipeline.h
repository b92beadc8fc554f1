// The ordered lists of passes, and what runs them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "passes/rewriter.h"

namespace pare::passes {

struct Pass {
  std::string_view name;  // a verb
  Status (*run)(PassContext&);
};

// Standard ONNX in, standard ONNX out: what an exported file may contain.
std::span<const Pass> SimplifyPasses();
// The same for what shall compute in float32 whatever its file's float type: ComputeInF32.
std::span<const Pass> WidenPasses();
// Behind Simplify, for what shall be quantized: operators that must stay float in one piece are
// formed whatever the source's opset.
std::span<const Pass> QuantizePasses();
// From there to our own operators and layouts; never exported.
std::span<const Pass> OptimizePasses();
// From a graph whose parameters training moves, with its loss as output, to one that computes as
// training does; before its gradients are made.
std::span<const Pass> TrainPasses();
// Behind those of Optimize, and only where asked for: as an engine computes whose 8-bit products
// saturate.
std::span<const Pass> SaturatePasses();
// A whole training step, behind differentiation.
std::span<const Pass> StepPasses();
// Null where no list has such a pass.
const Pass* FindPass(std::string_view name);

struct PassOptions {
  // Names of passes and rules to leave out, each after a minus: "-FuseResidual,-fuse-gelu".
  std::string switches;
  int64_t max_patches = -1;  // changes in all; < 0: no limit. For bisection.
  bool verify = false;       // after every pass, and patches that break the law are errors
};

struct PassLog {
  struct Entry {
    std::string_view pass;
    double ms;
    std::map<std::string, int, std::less<>> changes;  // by rule
  };
  std::vector<Entry> entries;
};
std::string LogText(const PassLog& log);  // a line for each pass that changed something

// Infers all types, runs the passes in order, drops what is dead. Errors name the pass and the
// node.
Status RunPasses(graph::Graph& graph, std::span<const Pass> passes, PassLog* log = nullptr,
                 const PassOptions& options = {});

inline Status Simplify(graph::Graph& graph, PassLog* log = nullptr,
                       const PassOptions& options = {}) {
  return RunPasses(graph, SimplifyPasses(), log, options);
}
// May run again on its own result, after symbols were bound.
inline Status Optimize(graph::Graph& graph, PassLog* log = nullptr,
                       const PassOptions& options = {}) {
  return RunPasses(graph, OptimizePasses(), log, options);
}

}  // namespace pare::passes
