#include "compress/prune/remove.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "graph/verify.h"
#include "ops/channels.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;
using ops::Place;
using Positions = std::vector<int64_t>;

class Removal {
 public:
  // `kept`: positions by axis.
  Removal(const Graph& graph, const Channels& channels, std::vector<std::optional<Positions>> kept)
      : before_(graph), after_(graph), channels_(channels), kept_(std::move(kept)) {}

  Status SliceConstants();
  Status MendNodes();
  Result<Graph> Take();

 private:
  // What stays along each axis of one use of a constant; nothing along those that stay whole.
  using Slices = std::map<int, Positions>;

  std::map<graph::ValueId, std::map<Slices, std::vector<graph::Use>>> SlicesOfConstants() const;
  Status MendNode(NodeId id);
  Status CheckSizes() const;

  const Graph& before_;
  Graph after_;
  const Channels& channels_;
  std::vector<std::optional<Positions>> kept_;  // by axis; nothing where all stay
};

std::map<ValueId, std::map<Removal::Slices, std::vector<graph::Use>>> Removal::SlicesOfConstants()
    const {
  std::map<std::pair<NodeId, int>, Slices> of_use;
  for (size_t axis = 0; axis < kept_.size(); ++axis) {
    const ChannelAxis& at = channels_.axes()[axis];
    if (at.reader.node == NodeId::kNone || !kept_[axis]) continue;
    of_use[{at.reader.node, at.reader.input}][at.axis] = *kept_[axis];
  }
  std::map<ValueId, std::map<Slices, std::vector<graph::Use>>> slices;
  for (const auto& [use, of_axes] : of_use) {
    const ValueId value = before_.node(use.first).inputs[use.second];
    if (slices.contains(value)) continue;
    for (const graph::Use& other : before_.value(value).uses) {
      const auto found = of_use.find({other.node, other.input});
      slices[value][found == of_use.end() ? Slices() : found->second].push_back(other);
    }
  }
  return slices;
}

// A constant whose readers keep different positions becomes several; the first keeps the name.
Status Removal::SliceConstants() {
  for (const auto& [value, readers] : SlicesOfConstants()) {
    const graph::Value& old = before_.value(value);
    bool first = true;
    for (const auto& [slices, uses] : readers) {
      Tensor data = old.data;
      for (const auto& [axis, positions] : slices) {
        PARE_ASSIGN(data, TakePositions(data, axis, positions));
      }
      if (first) {
        after_.SetConstant(value, std::move(data));
      } else {
        const ValueId copy =
            after_.AddConstant(after_.FreshName(old.name), std::move(data), old.kind);
        for (const graph::Use& use : uses) after_.SetInput(use.node, use.input, copy);
      }
      first = false;
    }
  }
  return {};
}

Status Removal::MendNode(NodeId id) {
  const graph::Node& node = before_.node(id);
  std::map<Place, const Positions*> of_place;
  const auto look = [&](int operand, ValueId value) {
    const bool stored = operand >= 0 && before_.value(value).data;
    for (size_t axis = 0; axis < kept_.size(); ++axis) {
      const ChannelAxis& at = channels_.axes()[axis];
      if (!kept_[axis] || at.value != value) continue;
      if (stored && at.reader != graph::Use{id, operand}) continue;
      of_place[{operand, at.axis}] = &*kept_[axis];
    }
  };
  for (int i = 0; i < std::ssize(node.inputs); ++i) {
    if (node.inputs[i] != ValueId::kNone) look(i, node.inputs[i]);
  }
  for (int i = 0; i < std::ssize(node.outputs); ++i) {
    if (node.outputs[i] != ValueId::kNone) look(-1 - i, node.outputs[i]);
  }
  if (of_place.empty()) return {};
  const auto find = [&](Place place) -> const Positions* {
    const auto found = of_place.find(place);
    return found == of_place.end() ? nullptr : found->second;
  };
  ops::ChannelEdit edit(before_, after_, id, find);
  return ops::FindOp(node.op)->channels.edit(edit);
}

Status Removal::MendNodes() {
  for (NodeId id : before_.Order()) {
    const ops::OpDef* op = ops::FindOp(before_.node(id).op);
    if (!op || !op->channels.edit) continue;
    const Status status = MendNode(id);
    if (!status) return Fail(status.error().at(ops::NodePath(before_, before_.node(id))));
  }
  return {};
}

Status Removal::CheckSizes() const {
  for (size_t axis = 0; axis < kept_.size(); ++axis) {
    const ChannelAxis& at = channels_.axes()[axis];
    if (at.reader.node != NodeId::kNone) continue;
    const int64_t expected = kept_[axis] ? std::ssize(*kept_[axis]) : at.size;
    const graph::TensorType& type = after_.value(at.value).type;
    if (type.has_rank() && at.axis < type.rank() &&
        (*type.shape)[at.axis] == graph::Dim(expected)) {
      continue;
    }
    return Fail(
        ErrorKind::kInternal,
        Text(after_.value(at.value).name, " is ", TypeText(type, after_.symbols()),
             " after the removal of channels, and its axis ", at.axis, " should be ", expected));
  }
  return {};
}

Result<Graph> Removal::Take() {
  PARE_TRY(ops::InferTypes(after_));
  PARE_TRY(CheckSizes());
  after_.RemoveDead();
  PARE_TRY(graph::Verify(after_));
  return std::move(after_);
}

}  // namespace

Result<Tensor> TakePositions(const Tensor& tensor, int axis, std::span<const int64_t> positions) {
  Dims shape = tensor.shape();
  int64_t outer = 1, inner = static_cast<int64_t>(SizeOf(tensor.dtype()));
  for (int i = 0; i < tensor.rank(); ++i) {
    if (i < axis) outer *= shape[i];
    if (i > axis) inner *= shape[i];
  }
  const int64_t size = shape[axis], count = std::ssize(positions);
  shape[axis] = count;
  PARE_ASSIGN(Tensor taken, Tensor::Make(tensor.dtype(), shape));
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(taken.mutable_data() + (o * count + i) * inner,
                  tensor.data() + (o * size + positions[i]) * inner, static_cast<size_t>(inner));
    }
  }
  return taken;
}

Result<std::vector<std::optional<Positions>>> KeptPositions(const Channels& channels,
                                                            std::span<const KeptUnits> kept) {
  std::map<int, std::vector<bool>> stays;
  for (const KeptUnits& units : kept) {
    const UnitGroup& group = channels.groups()[units.group];
    if (!group.prunable) {
      return Fail(ErrorKind::kUsage, Text("the channels of ", group.name, " can't be removed"),
                  group.why_not);
    }
    PARE_DCHECK(!units.units.empty());
    std::vector<bool> flags(static_cast<size_t>(group.size));
    for (int64_t unit : units.units) flags[static_cast<size_t>(unit)] = true;
    if (std::ssize(units.units) < group.size) stays[units.group] = std::move(flags);
  }
  std::vector<std::optional<Positions>> of_axis(channels.axes().size());
  for (size_t axis = 0; axis < of_axis.size(); ++axis) {
    const auto units = channels.units(static_cast<int>(axis));
    Positions positions;
    for (size_t i = 0; i < units.size(); ++i) {
      const auto flags = stays.find(units[i].group);
      if (flags == stays.end() || flags->second[static_cast<size_t>(units[i].index)]) {
        positions.push_back(static_cast<int64_t>(i));
      }
    }
    if (positions.size() < units.size()) of_axis[axis] = std::move(positions);
  }
  return of_axis;
}

Result<Graph> RemoveChannels(const Graph& graph, const Channels& channels,
                             std::span<const KeptUnits> kept) {
  PARE_ASSIGN(auto positions, KeptPositions(channels, kept));
  Removal removal(graph, channels, std::move(positions));
  PARE_TRY(removal.SliceConstants());
  PARE_TRY(removal.MendNodes());
  return removal.Take();
}

}  // namespace pare::compress
