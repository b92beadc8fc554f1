#include "train/defaults.h"

#include <algorithm>
#include <limits>
#include <span>
#include <string_view>

#include "passes/pipeline.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::Node;

constexpr std::string_view kConvolutions[] = {"Conv", "ConvTranspose"};
constexpr std::string_view kOfPositions[] = {"LayerNormalization", "RMSNormalization"};
constexpr std::string_view kOfPictures[] = {"BatchNormalization", "InstanceNormalization",
                                            "GroupNormalization"};
constexpr std::string_view kAttention[] = {"Attention", "MultiHeadAttention"};

int64_t CountOps(const Graph& graph, std::span<const std::string_view> ops) {
  return std::ranges::count_if(graph.Order(), [&](graph::NodeId id) {
    return std::ranges::find(ops, graph.node(id).op) != ops.end();
  });
}

bool HasOp(const Graph& graph, std::span<const std::string_view> ops) {
  return CountOps(graph, ops) > 0;
}

// Some files keep a normalisation where all others are folded.
bool IsNormalized(const Graph& graph) {
  return HasOp(graph, kOfPictures) &&
         2 * CountOps(graph, kOfPictures) >= CountOps(graph, kConvolutions);
}

// Products of what a Softmax makes and what is no constant: values, weighted by their likeness.
bool HasProductOfSoftmax(const Graph& graph) {
  return std::ranges::any_of(graph.Order(), [&](graph::NodeId id) {
    const Node& node = graph.node(id);
    if (node.op != "MatMul" || node.inputs.size() != 2) return false;
    if (graph.is_constant(node.inputs[1])) return false;
    const Node* likeness = graph.producer_of(node.inputs[0]);
    return likeness && likeness->op == "Softmax";
  });
}

// With normalisations in one piece, whatever the opset that the file was written for.
Graph Formed(const Graph& model) {
  Graph formed = model;
  return passes::RunPasses(formed, passes::QuantizePasses()) ? formed : model;
}

}  // namespace

Defaults DefaultsFor(const Graph& model, const Wishes& wishes) {
  const Graph formed = Formed(model);
  const bool positions = HasOp(formed, kOfPositions);
  const bool attends = HasOp(formed, kAttention) || HasProductOfSoftmax(formed);
  const bool normalized = IsNormalized(formed);
  const bool folded = !positions && !normalized && HasOp(formed, kConvolutions);
  const bool plain = normalized && !positions && !attends;
  Defaults chosen;
  chosen.optimizer = wishes.optimizer.value_or(plain ? OptimizerKind::kSgd : OptimizerKind::kAdamW);
  chosen.rate = wishes.rate.value_or(DefaultRate(chosen.optimizer));
  chosen.tries_rates = !wishes.rate;
  chosen.clip_norm = static_cast<float>(wishes.clip_norm.value_or(folded ? 1 : 0));
  if (!wishes.optimizer && !plain) {
    chosen.note = Text("the network has ",
                       attends     ? "attention"
                       : positions ? "layer normalization"
                                   : "no BatchNormalization",
                       ": the optimizer is ", OptimizerName(chosen.optimizer),
                       ", whose usual rate is ", DefaultRate(chosen.optimizer), " (--optimizer)");
  }
  if (!wishes.clip_norm && folded) {
    chosen.note += Text(chosen.note.empty() ? "" : "; ",
                        "nothing normalizes its convolutions (BatchNormalization is folded into "
                        "their weights?): gradients are clipped to length 1 (--clip)");
  }
  return chosen;
}

Result<std::string> CheckMoved(const AugmentOptions& augment, const Graph& model) {
  if (!augment.flip && augment.crop_pad == 0) return std::string();
  const graph::TensorType& output = model.value(model.outputs()[0].value).type;
  if (!output.has_rank() || output.rank() > 2) {
    return Fail(ErrorKind::kUsage,
                "--flip and --crop-pad move the pictures, and not the targets of each position",
                "leave them out");
  }
  return std::string(
      "--flip and --crop-pad move the pictures alone: targets that tell of places become wrong");
}

int64_t UnitsOf(int64_t count, int64_t unit) {
  return std::min(count, std::numeric_limits<int64_t>::max() / unit) * unit;
}

}  // namespace pare::train
