// What the benchmarks of all kernel families share.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "kernels/kernel.h"
#include "platform/cpu.h"

namespace pare::kernels {

// Zeros at an aligned address.
template <typename T>
class Aligned {
 public:
  explicit Aligned(int64_t count) {
    const size_t bytes = static_cast<size_t>(RoundUp(count * int64_t{sizeof(T)} + 1, kAlignment));
    memory_.reset(static_cast<T*>(std::aligned_alloc(kAlignment, bytes)));
    __builtin_memset(memory_.get(), 0, bytes);
  }
  T* data() { return memory_.get(); }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> memory_;
};

inline void CountMacs(benchmark::State& state, double macs) {
  state.counters["GMAC/s"] =
      benchmark::Counter(macs * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

// One benchmark "<row>/<name>:<value>/…" for each vector row that this CPU has and that supports
// the shape; run(state, row, shape).
template <typename Functions, typename Shape, typename Run>
void RegisterRows(Rows<Functions> rows, const Shape& shape, Run run,
                  std::initializer_list<std::pair<const char*, int64_t>> labels) {
  static const Cpu cpu = DetectCpu();
  for (const Row<Functions>& row : rows) {
    if (row.isa == Isa::kScalar || !cpu.has(row.isa) || !row->supports(shape)) continue;
    std::string name = row.name;
    for (const auto& [label, value] : labels)
      name += std::string("/") + label + std::to_string(value);
    benchmark::RegisterBenchmark(
        name.c_str(), [&row, shape, run](benchmark::State& state) { run(state, row, shape); })
        ->MinTime(0.1)
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace pare::kernels
