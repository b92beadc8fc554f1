// One node on the way of a batch through the graph (batch.h): what its rule may ask and answer.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace pare::onnx {

// Samples are stacked along `axis`, each with `times` elements of it: the size is N · times, and
// the sample is the outer factor.
struct Carry {
  int axis = 0;
  int64_t times = 1;
  friend bool operator==(const Carry&, const Carry&) = default;
};

struct BatchState {
  graph::Graph& graph;     // with the shapes of one sample
  graph::Graph& symbolic;  // the same graph, with the shapes of a batch as far as it was followed
  graph::Dim symbol;
  std::map<graph::ValueId, Carry> carries;
  // Computed from the batch size (shape arithmetic).
  std::map<graph::ValueId, bool> sizes;
  // Operands that are the same for every sample, but must be there once for each.
  struct Expansion {
    graph::NodeId node;
    int input;
    graph::ValueId like;  // whose batch gives the number
    int axis;             // of both
  };
  std::vector<Expansion> expansions;
  // New targets of Reshape nodes.
  std::map<graph::NodeId, graph::Ints> targets;
  // Of Resize nodes, in place of their sizes.
  std::map<graph::NodeId, std::vector<float>> scales;
};

class Flow {
 public:
  Flow(BatchState& state, graph::NodeId id) : state_(state), id_(id) {}

  const graph::Node& node() const { return state_.graph.node(id_); }
  const graph::Attrs& attrs() const { return node().attrs; }
  int inputs() const { return static_cast<int>(node().inputs.size()); }
  bool has_input(int i) const { return i < inputs() && input(i) != graph::ValueId::kNone; }
  std::optional<Carry> carry(int i) const;
  bool is_size(int i) const { return has_input(i) && state_.sizes.contains(input(i)); }
  // Whether input 0 carries the batch, and no other does.
  bool only_first() const;
  int rank(int i) const;                     // of an input; −1 where unknown
  int64_t dim(int i, int axis) const;        // of an input; −1 where unknown
  const graph::Shape* output_shape() const;  // of output 0; null where unknown
  const graph::Shape* shape(int i) const;
  // Output 0 as plain inference has it when the batch is N: the axis that is N, if just one is.
  std::optional<int> symbolic_axis() const;
  // The integers of a constant input; nullopt where it is absent or computed.
  std::optional<graph::Ints> ints(int i) const;
  // An attribute that is an axis of input 0, as [0, rank); −1 where that is not known.
  int axis(std::string_view name, int64_t otherwise) const;

  void Set(int output, Carry carry);
  void SetAll(Carry carry);
  void SetSizes();
  // Repeats input `i`, which is of one sample, along the axis of input `like`, which carries the
  // batch.
  void Expand(int i, int like) {
    state_.expansions.push_back({id_, i, input(like), carry(like)->axis});
  }
  void SetTarget(graph::Ints target) { state_.targets[id_] = std::move(target); }
  void SetScales(std::vector<float> scales) { state_.scales[id_] = std::move(scales); }

 private:
  graph::ValueId input(int i) const { return node().inputs[i]; }
  BatchState& state_;
  graph::NodeId id_;
};

// Follows the batch through the node. False where its samples would be mixed, or where too little
// is known; `reason` then says so in a few words.
bool FollowBatch(Flow& flow, std::string& reason);

// Every public operator has a rule, or a reason why there is none.
bool HasBatchRule(std::string_view op);
std::string_view WhyNoBatchRule(std::string_view op);  // empty where it has none

}  // namespace pare::onnx
