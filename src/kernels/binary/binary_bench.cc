#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/binary/binary.h"
#include "platform/cpu.h"

namespace pare::kernels {
namespace {

// Rows and columns of y; b is of the same shape, one row for all, or one number a row.
enum class Operand { kSame, kRow, kNumber };
struct Layout {
  const char* name;
  int64_t rows, columns;
  Operand b;
};
constexpr Layout kLayouts[] = {{"same", 1, 4096, Operand::kSame},
                               {"channels of 16", 256, 16, Operand::kRow},
                               {"channels of 960", 8, 960, Operand::kRow},
                               {"numbers", 8, 784, Operand::kNumber}};

void Bench(benchmark::State& state, const Row<BinaryKernel>& row, const Layout& layout) {
  if (!DetectCpu().has(row.isa)) return state.SkipWithError("this CPU lacks it");
  const BinaryRun run = row->find(BinaryFunction::kAdd);
  std::vector<float> a(layout.rows * layout.columns, 1), b(a.size(), 2), y(a.size());
  const bool number = layout.b == Operand::kNumber;
  const BinaryArgs args{.a = a.data(),
                        .b = b.data(),
                        .y = y.data(),
                        .rows = layout.rows,
                        .columns = layout.columns,
                        .a_row = layout.columns,
                        .b_row = number ? 1 : 0,
                        .b_step = number ? 0 : 1};
  for (auto _ : state) run(args);
  state.SetItemsProcessed(state.iterations() * std::ssize(y));
}

const bool kRegistered = [] {
  for (const Row<BinaryKernel>& row : BinaryRows()) {
    for (const Layout& layout : kLayouts) {
      benchmark::RegisterBenchmark((std::string(row.name) + "/" + layout.name).c_str(),
                                   [&](auto& state) { Bench(state, row, layout); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
