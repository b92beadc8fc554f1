// Where the time goes, by layer: collected over runs of one plan.
#pragma once

#include <string>
#include <vector>

#include "runtime/plan.h"

namespace pare::runtime {

struct LayerTime {
  std::string name, op, kernel;
  double median_ms = 0, min_ms = 0;
  double share = 0;  // of the sum of medians, 0…1
};

class Profile {
 public:
  // One run's times; all runs must be of the same plan.
  void Add(const Plan& plan, std::span<const int64_t> node_ns);
  int runs() const { return runs_; }
  // In the order of execution; nodes without steps are left out.
  std::vector<LayerTime> Layers() const;
  // The last run as a Chrome trace (chrome://tracing, Perfetto): JSON, times in µs.
  std::string ChromeTrace() const;

 private:
  struct Node {
    std::string name, op, kernel;
    std::vector<int64_t> ns;
  };
  std::vector<Node> nodes_;
  int runs_ = 0;
};

}  // namespace pare::runtime
