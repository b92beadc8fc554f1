// How the channels of a node's operands and outputs go together: what a record's channel rule may
// read, and what it says. compress/prune/groups.h joins what all nodes say; compress/prune/remove.h
// asks the records again to mend attributes and shapes after channels have gone.
//
// A rule speaks of positions along axes. Two that are tied stay or go together. The world is
// closed: a position that no statement of the rule covers is fixed, so that a rule which forgets
// something forbids too much and never too little.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "ops/node_view.h"
#include "ops/op_def.h"

namespace pare::ops {

// An axis of input `operand`, or of output −1 − `operand`.
struct Place {
  int operand = 0;
  int axis = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};
constexpr Place In(int input, int axis) { return {input, axis}; }
constexpr Place Out(int axis, int output = 0) { return {-1 - output, axis}; }

class ChannelContext : public NodeView {
 public:
  // Whether all positions of an axis are fixed by what is known so far: the nodes before this one,
  // and the model's inputs and outputs.
  using IsFixed = FunctionRef<bool(Place)>;
  ChannelContext(const graph::Graph& graph, const graph::Node& node, IsFixed is_fixed)
      : NodeView(graph, node), is_fixed_(is_fixed) {}

  bool has(int operand) const;
  int rank(int operand) const;      // −1: there is no such operand, or it is not known
  int64_t size(Place place) const;  // −1: there is no such axis, or it is not known
  bool fixed(Place place) const { return is_fixed_(place); }
  // The attribute, within [0, rank of input 0); −1 where it is outside or the rank is not known.
  int axis(std::string_view name, int64_t otherwise) const;
  // The integers of a constant input.
  std::optional<std::vector<int64_t>> ints(int input) const;

  // --- what a rule says
  // Position by position. Places that are not there, and axes of sizes that differ (one of them is
  // broadcast) or are not known, are left alone.
  void Tie(Place a, Place b);
  void TieRange(Place a, int64_t a_begin, Place b, int64_t b_begin, int64_t count);
  void TiePosition(Place a, int64_t i, Place b, int64_t j) { links_.push_back({a, i, b, j}); }
  // Position p of `whole` with (p / inner) % size of `part`: one factor of a product.
  void TieFactor(Place whole, Place part, int64_t inner);
  // Positions of one axis, tied to each other: all of a block; all at the same place of a period.
  void TieBlocks(Place place, int64_t block);
  void TiePeriods(Place place, int64_t period);
  // Its positions may go, as far as this node is concerned.
  void Free(Place place) { free_.push_back(place); }
  void Fix(Place place, std::string why);
  // What remains changes where a position goes, even one whose values nobody reads.
  void Mix(Place place, std::string why);
  // The axis of a constant is summed over, though it is tied to outputs (a recurrence).
  void Sums(Place place) { sums_.push_back(place); }

  // The axis of a constant makes its channels, though they are tied to operands that are computed
  // (the states of a recurrence).
  void Makes(Place place) { makes_.push_back(place); }

  // --- what was said
  struct Link {
    Place a;
    int64_t i;
    Place b;
    int64_t j;
  };
  struct Remark {
    Place place;
    std::string why;
  };
  const std::vector<Link>& links() const { return links_; }
  const std::vector<Place>& free() const { return free_; }
  const std::vector<Remark>& fixed() const { return fixed_; }
  const std::vector<Remark>& mixed() const { return mixed_; }
  const std::vector<Place>& sums() const { return sums_; }
  const std::vector<Place>& makes() const { return makes_; }

 private:
  const graph::Value* value(int operand) const;

  IsFixed is_fixed_;
  std::vector<Link> links_;
  std::vector<Place> free_, sums_, makes_;
  std::vector<Remark> fixed_, mixed_;
};

// What `op` says of the node; an operator that pare lacks (null), or a record without a rule, fixes
// everything.
void TieChannels(const OpDef* op, ChannelContext& context);

// Mends a node some of whose positions go. It reads the node as it was and writes a copy of the
// graph.
class ChannelEdit : public NodeView {
 public:
  using Kept = std::vector<int64_t>;  // positions that stay, ascending
  // Null where all of the axis stay.
  using FindKept = FunctionRef<const Kept*(Place)>;
  ChannelEdit(const graph::Graph& before, graph::Graph& after, graph::NodeId id, FindKept kept)
      : NodeView(before, before.node(id)), after_(after), id_(id), kept_(kept) {}

  const Kept* kept(Place place) const { return kept_(place); }
  const graph::TensorType& type(int operand) const {
    return operand >= 0 ? input(operand) : output(-1 - operand);
  }
  int64_t old_size(Place place) const { return (*type(place.operand).shape)[place.axis].size(); }
  int64_t new_size(Place place) const {
    const Kept* kept = kept_(place);
    return kept ? static_cast<int64_t>(kept->size()) : old_size(place);
  }
  // How many of the positions [begin, end) stay.
  int64_t KeptWithin(Place place, int64_t begin, int64_t end) const;

  void SetAttr(std::string_view name, graph::AttrValue value) {
    after_.mutable_node(id_).attrs.set(name, std::move(value));
  }
  void EraseAttr(std::string_view name) { after_.mutable_node(id_).attrs.erase(name); }
  // A constant of the input's type, or of i64 where there was none, in its place.
  Status SetInts(int input, std::string_view what, const std::vector<int64_t>& values);

 private:
  graph::Graph& after_;
  graph::NodeId id_;
  FindKept kept_;
};

// --- what many records share

// All inputs broadcast against all outputs.
void TieElementwise(ChannelContext& context);
// Input 0 and output 0 have the same axes; along attribute `axis` the results depend on each other.
template <int kDefault>
void TieAlongAxis(ChannelContext& context) {
  const int axis = context.axis("axis", kDefault);
  if (axis < 0) return;
  for (int i = 0; i < context.rank(0); ++i) context.Tie(In(0, i), Out(i));
  context.Mix(In(0, axis), "works along the channels");
}
// Operands with labels for their axes, each text as in Einsum ("nk", "kn"): equal labels are tied.
// A star stands for any number of axes, which are left alone.
void TieLabels(ChannelContext& context, std::span<const std::string_view> inputs,
               std::string_view output);

// The same elements under another shape: where axes merge or one is split, channels are one of the
// factors, and the others are fixed. Into which factor a split goes is a choice; it is the first
// (the heads of an attention, not what each is wide), and a merge follows what is not fixed yet.
void TieView(ChannelContext& context);

inline constexpr ChannelRule kElementwise{.tie = TieElementwise};
inline constexpr ChannelRule kOfQuantization{
    .none = "channels go before a model is quantized, not after"};
inline constexpr ChannelRule kOfTraining{.none = "channels go before a training step is made"};
inline constexpr ChannelRule kOwnForm{
    .none = "it is made by optimization, and channels go before that"};
inline constexpr ChannelRule kByIndex{.none = "its indices choose places while the model runs"};

}  // namespace pare::ops
