// What a graph costs with fewer channels, without making it: a sum over layers, each of which costs
// the part that stays of the axes its work is proportional to.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "compress/prune/groups.h"

namespace pare::compress {

class ChannelCosts {
 public:
  // Multiply-accumulates, for inputs of these shapes; exact for layers whose work is a product of
  // channels.
  static Result<ChannelCosts> Macs(const graph::Graph& graph, const Channels& channels,
                                   std::span<const Dims> shapes);
  // Bytes of constants.
  static ChannelCosts Bytes(const graph::Graph& graph, const Channels& channels);
  // Milliseconds, from those measured by layer of the whole graph; layers that the graph does not
  // have (made when it was optimized) keep theirs.
  static ChannelCosts Times(const graph::Graph& graph, const Channels& channels,
                            const std::map<std::string, double>& ms);

  // Where of each group so many units stay.
  double Of(std::span<const int64_t> units) const;
  // How much less that is with `count` units of `group` instead.
  double Gain(std::span<const int64_t> units, int group, int64_t count) const;
  double whole() const { return Of(whole_); }
  // Units by group, none removed.
  const std::vector<int64_t>& all_units() const { return whole_; }

 private:
  struct Share {
    int group;
    double part;  // of the axis's positions
  };
  using Factor = std::vector<Share>;  // of one axis
  struct Term {
    double cost;
    std::vector<Factor> factors;
  };
  ChannelCosts() = default;
  explicit ChannelCosts(const Channels& channels);
  // The work of a node goes with these axes.
  std::vector<Factor> FactorsOf(const graph::Graph& graph, const Channels& channels,
                                graph::NodeId node) const;
  Factor FactorOf(const Channels& channels, int axis) const;
  void Add(double cost, std::vector<Factor> factors);
  double TermCost(const Term& term, std::span<const int64_t> units) const;

  std::vector<int64_t> whole_;
  std::vector<Term> terms_;
  std::vector<std::vector<int>> of_group_;  // terms by group
};

}  // namespace pare::compress
