// Random numbers that are the same on every machine, unlike std's distributions.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

namespace pare {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  // A stream of its own for each `stream` of a seed.
  Random(uint64_t seed, uint64_t stream) : state_(seed) { state_ = Next() ^ Random(stream).Next(); }

  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  int64_t Below(int64_t bound) {
    return static_cast<int64_t>(static_cast<unsigned __int128>(Next()) * bound >> 64);
  }
  // In [0, 1), a multiple of 2^-24.
  float Uniform() { return static_cast<float>(Next() >> 40) * 0x1p-24f; }
  // Standard normal (Box & Muller 1958).
  float Normal() {
    const float radius = std::sqrt(-2 * std::log(1 - Uniform()));
    return radius * std::cos(2 * std::numbers::pi_v<float> * Uniform());
  }
  // Fisher & Yates.
  template <typename T>
  void Shuffle(std::vector<T>& items) {
    for (int64_t i = std::ssize(items) - 1; i > 0; --i) std::swap(items[i], items[Below(i + 1)]);
  }

 private:
  uint64_t state_;
};

}  // namespace pare
