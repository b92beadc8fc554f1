// The walk: every node's record says what goes together (ops/channels.h), disjoint sets join it,
// and what a record does not speak of is fixed. Then sets that touch the same axes become one
// group.
//
// A record may ask what is fixed, and what a later node fixes isn't known then: of 3·heads·width
// columns the first factor looks free until a Gather picks the queries from it. A second walk knows
// such axes from the start, and counts where more can be pruned.
#include "compress/prune/groups.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "compress/disjoint_sets.h"
#include "ops/channels.h"

namespace pare::compress {

using graph::NodeId;
using graph::ValueId;
using ops::Place;

namespace {

// More positions than any axis of channels has: long signals need none.
constexpr int64_t kLongestAxis = int64_t{1} << 20;

bool Stored(const graph::Value& value) { return static_cast<bool>(value.data); }

}  // namespace

class ChannelWalk {
 public:
  using Axes = std::set<int>;

  // `foreseen`: axes that earlier walks found to be fixed.
  ChannelWalk(const graph::Graph& graph, Axes foreseen);
  // Those, and the ones that looked free when a record asked, and are fixed now.
  Axes Foreseen();
  Channels Take();

 private:
  enum class Part : uint8_t { kOther, kProducer, kConsumer };
  struct Marks {
    int fixed = -1, mixed = -1;  // indices of reasons_; −1: none
  };

  void AddAxes(ValueId value, graph::Use reader);
  void FixEnds();
  void Walk(NodeId id);
  void Apply(NodeId id, const ops::ChannelContext& context);
  void FixUncovered(NodeId id);
  void FindParts(NodeId id, const ops::ChannelContext& context);

  // −1 where the axis has no positions: it is 1, its size is not known, or there is none.
  int AxisOf(NodeId id, Place place) const;
  size_t Position(int axis, int64_t i) const { return first_[axis] + static_cast<size_t>(i); }
  bool AllFixed(int axis);
  void Join(size_t a, size_t b);
  void MarkPosition(size_t position, int Marks::* mark, std::string reason);
  void MarkAxis(int axis, int Marks::* mark, std::string reason);
  void Cover(int axis, NodeId id);
  std::string Prefix(NodeId id) const { return ops::NodePath(graph_, graph_.node(id)) + ": "; }

  std::vector<std::vector<int>> AxesOfSets();
  UnitGroup NewGroup(const std::vector<int>& axes, size_t root) const;

  const graph::Graph& graph_;
  Channels channels_;
  std::vector<size_t> first_;  // by axis: its first position
  std::vector<Part> parts_;    // by axis
  // Axes that have positions, by what they belong to and their number.
  std::map<std::pair<ValueId, int>, int> of_value_;
  std::map<std::tuple<NodeId, int, int>, int> of_use_;
  DisjointSets sets_{0};
  std::vector<Marks> marks_;     // by position; those of a set's root count
  std::vector<NodeId> covered_;  // by position: the last node whose rule spoke of it
  std::vector<std::string> reasons_;
  Axes foreseen_, looked_free_;
};

ChannelWalk::ChannelWalk(const graph::Graph& graph, Axes foreseen)
    : graph_(graph), foreseen_(std::move(foreseen)) {
  const std::vector<NodeId> order = graph.Order();
  for (ValueId id : graph.inputs()) AddAxes(id, {NodeId::kNone, -1});
  for (NodeId id : order) {
    const graph::Node& node = graph.node(id);
    for (int i = 0; i < std::ssize(node.inputs); ++i) {
      const ValueId input = node.inputs[i];
      if (input != ValueId::kNone && Stored(graph.value(input))) AddAxes(input, {id, i});
    }
    for (ValueId output : node.outputs) {
      if (output != ValueId::kNone) AddAxes(output, {NodeId::kNone, -1});
    }
  }
  size_t positions = 0;
  for (const ChannelAxis& axis : channels_.axes_) {
    first_.push_back(positions);
    positions += static_cast<size_t>(axis.size);
  }
  parts_.resize(channels_.axes_.size(), Part::kOther);
  sets_ = DisjointSets(positions);
  marks_.resize(positions);
  covered_.resize(positions, NodeId::kNone);
  FixEnds();
  for (NodeId id : order) Walk(id);
}

void ChannelWalk::AddAxes(ValueId value, graph::Use reader) {
  const graph::TensorType& type = graph_.value(value).type;
  for (int i = 0; type.has_rank() && i < type.rank(); ++i) {
    const graph::Dim dim = (*type.shape)[i];
    if (!dim.known() || dim.size() < 2 || dim.size() > kLongestAxis) continue;
    const int index = static_cast<int>(channels_.axes_.size());
    channels_.axes_.push_back({value, reader, i, dim.size()});
    if (reader.node == NodeId::kNone) {
      of_value_[{value, i}] = index;
    } else {
      of_use_[{reader.node, reader.input, i}] = index;
    }
  }
}

int ChannelWalk::AxisOf(NodeId id, Place place) const {
  const graph::Node& node = graph_.node(id);
  const auto& operands = place.operand >= 0 ? node.inputs : node.outputs;
  const size_t at = static_cast<size_t>(place.operand >= 0 ? place.operand : -1 - place.operand);
  if (at >= operands.size() || operands[at] == ValueId::kNone) return -1;
  if (place.operand >= 0 && Stored(graph_.value(operands[at]))) {
    const auto found = of_use_.find({id, place.operand, place.axis});
    return found == of_use_.end() ? -1 : found->second;
  }
  const auto found = of_value_.find({operands[at], place.axis});
  return found == of_value_.end() ? -1 : found->second;
}

// What goes in and out of the model is its interface.
void ChannelWalk::FixEnds() {
  const auto fix = [&](ValueId value, std::string_view what) {
    for (int i = 0; i < std::ssize(channels_.axes_); ++i) {
      if (channels_.axes_[i].value == value) {
        MarkAxis(i, &Marks::fixed, Text("it is the model's ", what, ' ', graph_.value(value).name));
      }
    }
  };
  for (ValueId id : graph_.inputs()) fix(id, "input");
  for (const graph::Output& output : graph_.outputs()) fix(output.value, "output");
}

bool ChannelWalk::AllFixed(int axis) {
  for (int64_t i = 0; i < channels_.axes_[axis].size; ++i) {
    if (marks_[sets_.Root(Position(axis, i))].fixed < 0) return false;
  }
  return true;
}

void ChannelWalk::Join(size_t a, size_t b) {
  a = sets_.Root(a);
  b = sets_.Root(b);
  if (a == b) return;
  const auto earlier = [](int x, int y) { return x < 0 ? y : y < 0 ? x : std::min(x, y); };
  marks_[b] = {earlier(marks_[a].fixed, marks_[b].fixed),
               earlier(marks_[a].mixed, marks_[b].mixed)};
  sets_.Join(a, b);
}

void ChannelWalk::MarkPosition(size_t position, int Marks::* mark, std::string reason) {
  int& place = marks_[sets_.Root(position)].*mark;
  if (place >= 0) return;
  place = static_cast<int>(reasons_.size());
  reasons_.push_back(std::move(reason));
}

void ChannelWalk::MarkAxis(int axis, int Marks::* mark, std::string reason) {
  reasons_.push_back(std::move(reason));
  for (int64_t i = 0; i < channels_.axes_[axis].size; ++i) {
    int& place = marks_[sets_.Root(Position(axis, i))].*mark;
    if (place < 0) place = static_cast<int>(reasons_.size()) - 1;
  }
}

void ChannelWalk::Cover(int axis, NodeId id) {
  for (int64_t i = 0; i < channels_.axes_[axis].size; ++i) covered_[Position(axis, i)] = id;
}

void ChannelWalk::Walk(NodeId id) {
  const graph::Node& node = graph_.node(id);
  const auto fixed = [&](Place place) {
    const int axis = AxisOf(id, place);
    if (axis < 0 || foreseen_.contains(axis) || AllFixed(axis)) return true;
    looked_free_.insert(axis);
    return false;
  };
  ops::ChannelContext context(graph_, node, fixed);
  ops::TieChannels(ops::FindOp(node.op), context);
  Apply(id, context);
  FixUncovered(id);
  FindParts(id, context);
}

void ChannelWalk::Apply(NodeId id, const ops::ChannelContext& context) {
  for (const auto& link : context.links()) {
    const int a = AxisOf(id, link.a), b = AxisOf(id, link.b);
    if (a >= 0) covered_[Position(a, link.i)] = id;
    if (b >= 0) covered_[Position(b, link.j)] = id;
    if (a >= 0 && b >= 0) {
      Join(Position(a, link.i), Position(b, link.j));
    } else if (a >= 0 || b >= 0) {  // what is left of an axis of one, or of no known size?
      MarkPosition(a >= 0 ? Position(a, link.i) : Position(b, link.j), &Marks::fixed,
                   Prefix(id) + "it is all there is of another tensor's axis");
    }
  }
  for (Place place : context.free()) {
    if (const int axis = AxisOf(id, place); axis >= 0) Cover(axis, id);
  }
  for (const auto& [place, why] : context.fixed()) {
    const int axis = AxisOf(id, place);
    if (axis < 0) continue;
    Cover(axis, id);
    MarkAxis(axis, &Marks::fixed, Prefix(id) + why);
  }
  for (const auto& [place, why] : context.mixed()) {
    if (const int axis = AxisOf(id, place); axis >= 0) {
      MarkAxis(axis, &Marks::mixed, Prefix(id) + why);
    }
  }
}

void ChannelWalk::FixUncovered(NodeId id) {
  const graph::Node& node = graph_.node(id);
  const ops::OpDef* op = ops::FindOp(node.op);
  const std::string_view why = !op                          ? "pare does not know the operator"
                               : !op->channels.none.empty() ? op->channels.none
                                                            : "it needs the axis as it is";
  int reason = -1;
  const auto check = [&](int operand, ValueId value) {
    const graph::TensorType& type = graph_.value(value).type;
    for (int i = 0; type.has_rank() && i < type.rank(); ++i) {
      const int axis = AxisOf(id, {operand, i});
      for (int64_t p = 0; axis >= 0 && p < channels_.axes_[axis].size; ++p) {
        if (covered_[Position(axis, p)] == id) continue;
        if (reason < 0) {
          reason = static_cast<int>(reasons_.size());
          reasons_.push_back(Text(Prefix(id), why));
        }
        int& fixed = marks_[sets_.Root(Position(axis, p))].fixed;
        if (fixed < 0) fixed = reason;
      }
    }
  };
  for (int i = 0; i < std::ssize(node.inputs); ++i) {
    if (node.inputs[i] != ValueId::kNone) check(i, node.inputs[i]);
  }
  for (int i = 0; i < std::ssize(node.outputs); ++i) {
    if (node.outputs[i] != ValueId::kNone) check(-1 - i, node.outputs[i]);
  }
}

// An axis of weights makes channels where it goes to an output and meets no computed operand, or
// its record says so; it sums over them where it meets one and goes nowhere.
void ChannelWalk::FindParts(NodeId id, const ops::ChannelContext& context) {
  const graph::Node& node = graph_.node(id);
  std::map<Place, Place> parent;
  const auto root = [&](Place place) {
    while (true) {
      const Place up = parent.emplace(place, place).first->second;
      if (up == place) return place;
      place = up;
    }
  };
  for (const auto& link : context.links()) {
    const Place a = root(link.a), b = root(link.b);
    if (a != b) parent[a] = b;
  }
  const auto stored = [&](Place place) {
    return place.operand >= 0 && Stored(graph_.value(node.inputs[place.operand]));
  };
  std::map<Place, std::pair<bool, bool>> met;  // by root: an output, a computed operand
  std::vector<Place> places;
  for (const auto& [place, up] : parent) places.push_back(place);
  for (Place place : places) {
    auto& [output, computed] = met[root(place)];
    if (place.operand < 0) output = true;
    if (place.operand >= 0 && !stored(place)) computed = true;
  }
  for (Place place : places) {
    const int axis = AxisOf(id, place);
    if (axis < 0 || !stored(place)) continue;
    const graph::TensorType& type = graph_.value(node.inputs[place.operand]).type;
    if (!IsFloat(type.dtype) || type.rank() < 2) continue;
    const auto [output, computed] = met[root(place)];
    const bool sums = std::ranges::find(context.sums(), place) != context.sums().end();
    const bool makes = std::ranges::find(context.makes(), place) != context.makes().end();
    if (output && (!computed || makes) && !sums) parts_[axis] = Part::kProducer;
    if ((computed && !output) || sums) parts_[axis] = Part::kConsumer;
  }
}

// By root: the axes that the set touches, ascending.
std::vector<std::vector<int>> ChannelWalk::AxesOfSets() {
  std::vector<std::vector<int>> axes(marks_.size());
  for (int axis = 0; axis < std::ssize(channels_.axes_); ++axis) {
    for (int64_t i = 0; i < channels_.axes_[axis].size; ++i) {
      auto& touched = axes[sets_.Root(Position(axis, i))];
      if (touched.empty() || touched.back() != axis) touched.push_back(axis);
    }
  }
  return axes;
}

UnitGroup ChannelWalk::NewGroup(const std::vector<int>& axes, size_t root) const {
  UnitGroup group;
  group.axes = axes;
  for (int axis : axes) {
    if (parts_[axis] == Part::kProducer) group.producers.push_back(axis);
    if (parts_[axis] == Part::kConsumer) group.consumers.push_back(axis);
  }
  const Marks marks = marks_[root];
  if (marks.fixed >= 0) {
    group.why_not = reasons_[marks.fixed];
  } else if (group.producers.empty()) {
    group.why_not = "no weights make its channels";
  }
  group.prunable = group.why_not.empty();
  if (marks.mixed >= 0) group.why_inexact = reasons_[marks.mixed];
  group.exact = marks.mixed < 0;
  const ChannelAxis& named =
      channels_.axes_[group.producers.empty() ? axes[0] : group.producers[0]];
  const ValueId value =
      named.reader.node == NodeId::kNone ? named.value : graph_.node(named.reader.node).outputs[0];
  group.name = value == ValueId::kNone ? "" : graph_.value(value).name;
  return group;
}

Channels ChannelWalk::Take() {
  const auto axes_of = AxesOfSets();
  std::map<std::tuple<std::vector<int>, bool, bool>, int> group_of;
  std::map<size_t, Channels::Unit> unit_of;
  for (int axis = 0; axis < std::ssize(channels_.axes_); ++axis) {
    auto& units = channels_.units_.emplace_back();
    for (int64_t i = 0; i < channels_.axes_[axis].size; ++i) {
      const size_t root = sets_.Root(Position(axis, i));
      auto [unit, fresh] = unit_of.try_emplace(root);
      if (fresh) {
        const Marks marks = marks_[root];
        const auto [group, first] =
            group_of.try_emplace({axes_of[root], marks.fixed >= 0, marks.mixed >= 0},
                                 static_cast<int>(channels_.groups_.size()));
        if (first) channels_.groups_.push_back(NewGroup(axes_of[root], root));
        unit->second = {group->second, channels_.groups_[group->second].size++};
      }
      units.push_back(unit->second);
    }
  }
  // One unit is the whole width: without it nothing would be left.
  for (UnitGroup& group : channels_.groups_) {
    if (group.prunable && group.size < 2) {
      group.prunable = false;
      group.why_not = "all its channels go together";
    }
  }
  return std::move(channels_);
}

ChannelWalk::Axes ChannelWalk::Foreseen() {
  Axes axes = foreseen_;
  std::ranges::copy_if(looked_free_, std::inserter(axes, axes.end()),
                       [&](int axis) { return AllFixed(axis); });
  return axes;
}

Channels Channels::Of(const graph::Graph& graph) {
  const auto prunable = [](const Channels& channels) {
    return std::ranges::count_if(channels.groups(), &UnitGroup::prunable);
  };
  ChannelWalk::Axes known, foreseen;
  Channels best;
  do {
    known = foreseen;
    ChannelWalk walk(graph, known);
    foreseen = walk.Foreseen();
    Channels found = walk.Take();
    if (best.axes().empty() || prunable(found) > prunable(best)) best = std::move(found);
  } while (foreseen != known);
  return best;
}

int64_t Channels::PositionsPerUnit(int axis, int group) const {
  const auto held =
      std::ranges::count_if(units_[axis], [&](const Unit& unit) { return unit.group == group; });
  return held / std::max<int64_t>(1, groups_[group].size);
}

std::string ChannelsText(const Channels& channels) {
  std::string text;
  for (const UnitGroup& group : channels.groups()) {
    if (group.producers.empty()) continue;
    text += Text(group.name, ": ", group.size, " units, ", group.producers.size(), " producers, ",
                 group.consumers.size(), " consumers");
    if (!group.prunable) text += Text("; fixed: ", group.why_not);
    if (group.prunable && !group.exact) text += Text("; inexact: ", group.why_inexact);
    text += '\n';
  }
  return text;
}

}  // namespace pare::compress
