#include <benchmark/benchmark.h>

#include "platform/thread_pool.h"

namespace pare {
namespace {

// Fork + join to workers that are still spinning.
void BM_ForkJoin(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  for (auto _ : state) pool.Run(pool.threads(), [](int64_t, int64_t, int) {});
}
BENCHMARK(BM_ForkJoin)->Arg(1)->Arg(2)->Arg(4)->UseRealTime();

}  // namespace
}  // namespace pare
