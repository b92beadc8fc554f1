#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/unary/unary.h"
#include "platform/cpu.h"

namespace pare::kernels {
namespace {

constexpr const char* kNames[] = {
#define PARE_UNARY(name, ...) #name,
#define PARE_UNARY_SLOW(name, ...) #name,
#include "kernels/unary/functions.inc"
#undef PARE_UNARY
#undef PARE_UNARY_SLOW
};

void Bench(benchmark::State& state, const Row<UnaryKernel>& row, UnaryFunction function) {
  if (!DetectCpu().has(row.isa)) return state.SkipWithError("this CPU lacks it");
  const UnaryRun run = row->find(function);
  std::vector<float> x(4096), y(x.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = 0.5f + 0.001f * static_cast<float>(i);
  for (auto _ : state) run({x.data(), y.data(), std::ssize(x), 0.5f, 1.5f});
  state.SetItemsProcessed(state.iterations() * std::ssize(x));
}

const bool kRegistered = [] {
  for (const Row<UnaryKernel>& row : UnaryRows()) {
    for (int i = 0; i < static_cast<int>(UnaryFunction::kCount); ++i) {
      const auto function = static_cast<UnaryFunction>(i);
      if (!row->supports(function)) continue;
      benchmark::RegisterBenchmark((std::string(row.name) + "/" + kNames[i]).c_str(),
                                   [&row, function](auto& state) { Bench(state, row, function); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
