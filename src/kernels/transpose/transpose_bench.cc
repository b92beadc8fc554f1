#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/transpose/transpose.h"
#include "platform/cpu.h"

namespace pare::kernels {
namespace {

// Rows, columns, bytes of an element: a picture, and planes between the layouts of activations.
constexpr int64_t kPlanes[][3] = {
    {3, 224 * 224, 4}, {3, 224 * 224, 1}, {64, 56 * 56, 4}, {49, 1280, 4}, {64, 56 * 56, 1}};

void Bench(benchmark::State& state, const Row<TransposeKernel>& row) {
  const auto [rows, columns, bytes] = kPlanes[state.range(0)];
  const TransposeShape shape{bytes, rows};
  if (!DetectCpu().has(row.isa) || !row->supports(shape)) return state.SkipWithError("can't");
  std::vector<uint8_t> x(rows * columns * bytes), y(x.size());
  for (auto _ : state) row->run(shape, {x.data(), y.data(), rows, columns, columns, rows});
  state.SetBytesProcessed(state.iterations() * std::ssize(x));
  state.SetLabel(std::to_string(rows) + "x" + std::to_string(columns) + " of " +
                 std::to_string(bytes));
}

const bool kRegistered = [] {
  for (const Row<TransposeKernel>& row : TransposeRows()) {
    benchmark::RegisterBenchmark(row.name, [&row](benchmark::State& s) {
      Bench(s, row);
    })->DenseRange(0, std::size(kPlanes) - 1);
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
