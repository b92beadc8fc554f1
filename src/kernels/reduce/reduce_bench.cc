#include <benchmark/benchmark.h>

#include <vector>

#include "kernels/reduce/reduce.h"
#include "platform/cpu.h"

namespace pare::kernels {
namespace {

// The mean along rows (of embeddings), and down columns (of pixels).
struct Plane {
  const char* name;
  int64_t rows, columns;
  bool along;
};
constexpr Plane kPlanes[] = {{"along 64", 128, 64, true},
                             {"along 384", 128, 384, true},
                             {"down 49", 49, 1280, false},
                             {"down 3136", 3136, 64, false}};

void Bench(benchmark::State& state, const Row<ReduceKernel>& row, const Plane& plane) {
  if (!DetectCpu().has(row.isa)) return state.SkipWithError("this CPU lacks it");
  const ReduceRun run = row->find(ReduceFunction::kMean);
  ReduceBox box{.kept = 1, .reduced = 1};
  box.kept_size[0] = plane.along ? plane.rows : plane.columns;
  box.kept_step[0] = plane.along ? plane.columns : 1;
  box.reduced_size[0] = plane.along ? plane.columns : plane.rows;
  box.reduced_step[0] = plane.along ? 1 : plane.columns;
  std::vector<float> x(plane.rows * plane.columns, 1), y(box.outputs());
  for (auto _ : state) run({&box, x.data(), y.data(), 0, box.outputs()});
  state.SetItemsProcessed(state.iterations() * std::ssize(x));
}

const bool kRegistered = [] {
  for (const Row<ReduceKernel>& row : ReduceRows()) {
    for (const Plane& plane : kPlanes) {
      benchmark::RegisterBenchmark((std::string(row.name) + "/" + plane.name).c_str(),
                                   [&](auto& state) { Bench(state, row, plane); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace pare::kernels
