// What a graph costs with fewer channels, without making it: a sum over layers, each of which costs
// the part that stays of the axes its work is proportional to, or what was measured of it.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "compress/prune/groups.h"

namespace pare::compress {

// Milliseconds; those of layers that only the optimized graph has stand under NodeId::kNone.
using LayerTimes = std::map<graph::NodeId, double>;
// The layer that each measured one stands for: several can be one's.
LayerTimes TimesByNode(const graph::Graph& graph, const std::map<std::string, double>& by_name);

// Measured with fewer units of some groups, which meet in no layer.
struct NarrowedTimes {
  std::vector<std::pair<int, int64_t>> units;  // group, how many stay
  std::map<graph::NodeId, double> parts;       // of the time that the layer takes else
};

class ChannelCosts {
 public:
  // Multiply-accumulates, for inputs of these shapes; exact for layers whose work is a product of
  // channels.
  static Result<ChannelCosts> Macs(const graph::Graph& graph, const Channels& channels,
                                   std::span<const Dims> shapes);
  // Bytes of constants.
  static ChannelCosts Bytes(const graph::Graph& graph, const Channels& channels);
  // Milliseconds by layer of the whole graph; in `narrowed`, what stays of them. Between two
  // widths that were measured a layer takes as long as with the wider one.
  static ChannelCosts Times(const graph::Graph& graph, const Channels& channels,
                            const LayerTimes& whole, std::span<const NarrowedTimes> narrowed);

  // Blocks that can go, the first to go first, each as the layers it consists of: one more group,
  // the last, whose units are the blocks that are left.
  void AddBlocks(std::span<const std::vector<graph::NodeId>> blocks);

  // Where of each group so many units stay.
  double Of(std::span<const int64_t> units) const;
  // How much less that is with `count` units of `group` instead.
  double Gain(std::span<const int64_t> units, int group, int64_t count) const;
  double whole() const { return Of(whole_); }
  // Units by group, none removed.
  const std::vector<int64_t>& all_units() const { return whole_; }
  // Whether the work of some layer goes with both groups.
  bool MeetInALayer(int a, int b) const;

 private:
  struct Share {
    int group;
    double part;                         // of the axis's positions
    std::map<int64_t, double> measured;  // by units: what stays; empty: in proportion
  };
  using Factor = std::vector<Share>;  // of one axis
  struct Term {
    double cost;
    graph::NodeId layer;
    std::vector<Factor> factors;
  };
  ChannelCosts() = default;
  explicit ChannelCosts(const Channels& channels);
  // The work of a node goes with these axes.
  std::vector<Factor> FactorsOf(const graph::Graph& graph, const Channels& channels,
                                graph::NodeId node) const;
  Factor FactorOf(const Channels& channels, int axis) const;
  void Add(double cost, graph::NodeId layer, std::vector<Factor> factors);
  static void SetMeasured(std::vector<Factor>& factors, int group, int64_t units, double part);
  double Stays(const Share& share, int64_t units) const;
  double TermCost(const Term& term, std::span<const int64_t> units) const;

  std::vector<int64_t> whole_;
  std::vector<Term> terms_;
  std::vector<std::vector<int>> of_group_;  // terms by group
};

}  // namespace pare::compress
