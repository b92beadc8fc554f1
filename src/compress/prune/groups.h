// Which channels of a graph can be removed, and what goes with each: structural analysis by the
// records' channel rules (ops/channels.h).
//
// Every position along every axis of known size is an element of a disjoint set; the rules join
// them. A set is a *unit*: what goes when one channel goes, wherever that is (a residual stream,
// the halves of a gate, a whole head of an attention). Units that touch the same axes form a
// *group*: they can stand for each other, so a width is a number of units of a group.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace pare::compress {

// An axis whose positions belong to units: of a value, or of a constant as one node reads it, since
// another reader may keep other positions of it.
struct ChannelAxis {
  graph::ValueId value;
  graph::Use reader{graph::NodeId::kNone, -1};  // of a constant
  int axis = 0;
  int64_t size = 0;
};

struct UnitGroup {
  std::string name;       // the first layer that makes its channels
  int64_t size = 0;       // units
  std::vector<int> axes;  // all that it touches, by their index in Channels::axes
  // Axes of weights: those that make its channels, and those that sum over them.
  std::vector<int> producers, consumers;

  bool prunable = false;
  std::string why_not;  // where it is not
  // What remains computes the same as if the removed units' values were zero where they are summed.
  bool exact = true;
  std::string why_inexact;
};

class Channels {
 public:
  // Of a float graph as it is loaded: standard ONNX operators, all types inferred.
  static Channels Of(const graph::Graph& graph);

  // The unit of a position: index of the group and of the unit in it.
  struct Unit {
    int group = -1;
    int64_t index = -1;
  };

  const std::vector<ChannelAxis>& axes() const { return axes_; }
  // In the order of the network. Those without producers (extents of images, batches) are there,
  // too.
  const std::vector<UnitGroup>& groups() const { return groups_; }
  std::span<const Unit> units(int axis) const { return units_[axis]; }
  // How many positions of an axis each unit of the group holds (a head is several columns of its
  // weights).
  int64_t PositionsPerUnit(int axis, int group) const;

 private:
  friend class ChannelWalk;
  std::vector<ChannelAxis> axes_;
  std::vector<UnitGroup> groups_;
  std::vector<std::vector<Unit>> units_;
};

// A line for each group that has producers: for people and tests.
std::string ChannelsText(const Channels& channels);

}  // namespace pare::compress
