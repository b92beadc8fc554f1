// The walk that gives every value one layout (internal to the pass ToChannelsLast).
#pragma once

#include <map>
#include <unordered_map>
#include <unordered_set>

#include "passes/passes.h"

namespace pare::passes {

// A value is *plain* (N,C,spatial…) or *last* (N,spatial…,C); each can be had in the other form by
// a Transpose, made once.
class LayoutWalk {
 public:
  explicit LayoutWalk(PassContext& context) : context_(context), graph_(context.graph()) {}
  Status Run();

 private:
  // --- values
  const graph::TensorType& type(graph::ValueId id) const { return graph_.value(id).type; }
  bool IsLast(graph::ValueId id) const { return last_.contains(id); }
  // Whether a last form costs nothing now.
  bool HasLast(graph::ValueId id) const { return IsLast(id) || other_.contains(id); }
  void BecomesLast(graph::ValueId id);
  void OutputsBecomeLast(graph::NodeId id);
  Result<graph::ValueId> Other(graph::ValueId id);
  Result<graph::ValueId> Last(graph::ValueId id) {
    return IsLast(id) ? Result<graph::ValueId>(id) : Other(id);
  }
  Result<graph::ValueId> Plain(graph::ValueId id) {
    return IsLast(id) ? Other(id) : Result<graph::ValueId>(id);
  }
  Result<graph::ValueId> AddNode(std::string op, std::vector<graph::ValueId> inputs,
                                 std::string name, graph::Attrs attrs);
  // A constant is transposed now; what moves only dimensions of size 1 is a Reshape.
  Result<graph::ValueId> Transpose(graph::ValueId id, const graph::Ints& perm,
                                   std::string_view suffix);

  // --- nodes (to_channels_last.cc)
  Status Visit(graph::NodeId id);
  Status TakePlain(graph::NodeId id, size_t input);
  Status TakeLast(graph::NodeId id, size_t input);
  bool OnlyFirstOutput(const graph::Node& node) const;
  // Whether it is a spatial operator that computes last from now on.
  Result<bool> VisitSpatial(graph::NodeId id);
  Status TakeWeightsLast(graph::NodeId id);
  Status VisitTranspose(graph::NodeId id);

  // --- nodes that follow their operands (follow_channels_last.cc)
  // Whether the node computes on last operands now.
  Result<bool> Follow(graph::NodeId id);
  bool MayFollow(graph::ValueId x, graph::NodeId id);
  // What an operand of an element-wise node of `rank` dimensions says to computing last.
  enum class Vote : uint8_t { kHas, kNeeds, kFree, kNever };
  Vote VoteOf(graph::ValueId id, int rank) const;
  // A constant that broadcasts against `rank` plain dimensions, as it does against last ones.
  graph::ValueId BroadcastLast(graph::ValueId id, int rank);
  Result<bool> FollowElementwise(graph::NodeId id);
  Result<bool> FollowAxis(graph::NodeId id, int64_t default_axis, bool has_axis);
  Result<bool> FollowConcat(graph::NodeId id);
  Result<bool> FollowReduction(graph::NodeId id);
  Result<bool> FollowPad(graph::NodeId id);
  Result<bool> FollowSlice(graph::NodeId id);
  // The integers of a constant operand; nullopt where it is absent or computed.
  std::optional<graph::Ints> Integers(const graph::Node& node, size_t i) const;
  void SetIntegers(graph::NodeId id, size_t i, std::string_view what, const graph::Ints& values);

  PassContext& context_;
  graph::Graph& graph_;
  std::unordered_set<graph::ValueId> last_;
  std::unordered_map<graph::ValueId, graph::ValueId> other_;    // in the form that it hasn't
  std::unordered_map<graph::ValueId, graph::ValueId> weights_;  // of convolutions, channels-last
  std::map<std::pair<graph::ValueId, int>, graph::ValueId> broadcast_;
};

}  // namespace pare::passes
