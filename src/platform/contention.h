// Who else used the processors while something was timed: times taken on a busy machine are too
// long, and nothing in the times themselves says so.
#pragma once

#include <optional>
#include <string>

#include "platform/clock.h"

namespace pare {

// Averages over a stretch of time, of the processors that this process may run on.
struct Contention {
  double elsewhere = 0;  // how many processors other processes kept busy
  double stolen = 0;     // how many the hypervisor gave to other machines
};

class ContentionWatch {
 public:
  // `root` stands before /proc/stat, so that a test can lay out a machine of its own.
  explicit ContentionWatch(std::string root = "") : root_(std::move(root)), start_(Now()) {}

  // Since the watch was made. nullopt where the system doesn't tell, and for less than 0.1 s: its
  // clock ticks are 10 ms.
  std::optional<Contention> Read() const;

 private:
  struct Seconds {
    double busy = 0, stolen = 0, own = 0;  // processor time; own is this process's part of busy
  };
  std::optional<Seconds> Now() const;

  std::string root_;
  std::optional<Seconds> start_;
  Stopwatch watch_;
};

}  // namespace pare
