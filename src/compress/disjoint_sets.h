// Union-find over the numbers below a count (Tarjan 1975), with path halving.
#pragma once

#include <cstddef>
#include <numeric>
#include <vector>

namespace pare::compress {

class DisjointSets {
 public:
  explicit DisjointSets(size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), size_t{0});
  }
  // The member that stands for the set of `i`.
  size_t Root(size_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  // The root of `into` becomes that of both.
  void Join(size_t i, size_t into) { parent_[Root(i)] = Root(into); }

 private:
  std::vector<size_t> parent_;
};

}  // namespace pare::compress
