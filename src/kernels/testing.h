// What the tests of all kernel families share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel.h"
#include "platform/cpu.h"

namespace pare::kernels {

// Linked to the emulated library, every row runs on every machine.
#if PARE_EMULATE_SIMD
inline constexpr bool kEmulated = true;
#else
inline constexpr bool kEmulated = false;
#endif

inline bool CanRun(Isa isa) {
  static const Cpu cpu = DetectCpu();
  return kEmulated || cpu.has(isa);
}

// Calls test(row) for every row that can run here, and says once which ran and how.
template <typename Functions, typename Test>
void ForEachRow(Rows<Functions> rows, Test&& test) {
  static std::set<std::string> told;
  for (const Row<Functions>& row : rows) {
    const bool runs = CanRun(row.isa);
    if (told.insert(row.name).second) {
      std::printf("  %-32s %s\n", row.name,
                  !runs       ? "not run: this CPU lacks it"
                  : kEmulated ? "emulated"
                              : "native");
    }
    if (!runs) continue;
    SCOPED_TRACE(row.name);
    test(row);
    if (testing::Test::HasFatalFailure()) return;
  }
}

// `count` elements at `offset` elements past an aligned address, between guards that must stay
// untouched.
template <typename T>
class Buffer {
 public:
  explicit Buffer(int64_t count, int64_t offset = 0, T fill = T{})
      : count_(count), start_(kGuard + offset) {
    const size_t total = static_cast<size_t>(start_ + count + kGuard);
    const size_t bytes = (total * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    memory_ = static_cast<T*>(std::aligned_alloc(kAlignment, bytes));
    std::fill_n(memory_, total, kCanary);
    std::fill_n(data(), count, fill);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(memory_); }

  T* data() { return memory_ + start_; }
  const T* data() const { return memory_ + start_; }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) { return data()[i]; }
  const T& operator[](int64_t i) const { return data()[i]; }
  std::span<const T> span() const { return {data(), static_cast<size_t>(count_)}; }

  bool guards_hold() const {
    const auto intact = [](const T& x) { return x == kCanary; };
    return std::all_of(memory_, memory_ + start_, intact) &&
           std::all_of(data() + count_, data() + count_ + kGuard, intact);
  }

 private:
  static constexpr int64_t kGuard = 64;
  static constexpr T kCanary = static_cast<T>(93);
  int64_t count_, start_;
  T* memory_;
};

// Bytes for packed weights or scratch, of exactly the size asked for.
class Bytes {
 public:
  explicit Bytes(int64_t size) : buffer_(size, 0, 0x5a) {}
  void* data() { return buffer_.data(); }
  bool guards_hold() const { return buffer_.guards_hold(); }

 private:
  Buffer<unsigned char> buffer_;
};

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  float uniform(float lo, float hi) {
    return lo + (hi - lo) * static_cast<float>(engine_() >> 8) * (1.0f / 16777216.0f);
  }
  int integer(int lo, int hi) {  // both included
    return lo + static_cast<int>(engine_() % static_cast<uint32_t>(hi - lo + 1));
  }
  void fill(Buffer<float>& out, float lo = -1.0f, float hi = 1.0f) {
    for (int64_t i = 0; i < out.size(); ++i) out[i] = uniform(lo, hi);
  }

 private:
  std::mt19937 engine_;
};

// Every value within `tolerance` absolutely; NaN and infinities must be the same.
inline void ExpectNear(std::span<const float> actual, std::span<const float> expected,
                       double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    const float a = actual[i], e = expected[i];
    const bool good = std::isnan(e)   ? std::isnan(a)
                      : std::isinf(e) ? a == e
                                      : std::fabs(double{a} - double{e}) <= tolerance;
    ASSERT_TRUE(good) << "at " << i << ": " << a << " instead of " << e;
  }
}

// The activations that a kernel with an epilogue must know.
inline std::vector<Activation> AllActivations() {
  using Kind = Activation::Kind;
  std::vector<Activation> all;
  for (int kind = 0; kind <= static_cast<int>(Kind::kLeakyRelu); ++kind) {
    all.push_back({.kind = static_cast<Kind>(kind), .alpha = 0.2f, .beta = 0.5f});
  }
  all[static_cast<int>(Kind::kClamp)].lo = 0.0f;
  all.push_back({.kind = Kind::kClamp, .lo = -0.5f, .hi = 0.75f});
  return all;
}

}  // namespace pare::kernels
