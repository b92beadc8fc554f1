// Monotonic time.
#pragma once

#include <chrono>
#include <cstdint>

namespace pare {

inline int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

class Stopwatch {
 public:
  int64_t ns() const { return NowNs() - start_; }
  double ms() const { return static_cast<double>(ns()) * 1e-6; }
  double seconds() const { return static_cast<double>(ns()) * 1e-9; }
  void Restart() { start_ = NowNs(); }

 private:
  int64_t start_ = NowNs();
};

}  // namespace pare
