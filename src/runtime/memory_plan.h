// Where each intermediate value lies in one arena: values whose lives don't overlap share bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pare::runtime {

struct Lifetime {
  size_t bytes;
  int first;  // the node that writes it
  int last;   // the last node that reads it, ≥ first
};

struct MemoryPlan {
  std::vector<size_t> offsets;  // one each lifetime, multiples of 64
  size_t bytes = 0;             // of the arena
};

// Greedy by size (Pisarchyk & Lee, "Efficient Memory Management for Deep Neural Net Inference",
// 2020, §4): the largest first, each at the lowest gap that no overlapping life occupies.
MemoryPlan PlanMemory(std::span<const Lifetime> lifetimes);

}  // namespace pare::runtime
