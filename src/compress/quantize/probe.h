// How far other forms of a model are from it, on a few samples that are kept with its answers: what
// the choice between quantizations goes by.
#pragma once

#include <span>
#include <vector>

#include "base/progress.h"
#include "data/loader.h"
#include "runtime/session.h"

namespace pare::compress {

class Probe {
 public:
  // Takes batches from the loaders, side by side, until they end or `max_bytes` of inputs and
  // outputs are kept, at least one of each.
  static Result<Probe> Make(std::span<data::Loader> loaders, runtime::Session& model,
                            size_t max_bytes, Progress& progress);

  // Σ (other − model)² / Σ model² over all outputs of the first samples, at most so many. They run
  // side by side on the session's threads.
  Result<double> Error(runtime::Session& other, int64_t samples, Progress& progress) const;

  // The mean over samples and positions of (other − model) by channel of output `index`, [N, C, …];
  // empty where that has no channels.
  Result<std::vector<double>> MeanDifference(runtime::Session& other, int index,
                                             Progress& progress) const;

 private:
  struct Known {
    data::Batch batch;
    std::vector<Tensor> answers;
  };
  static Result<std::vector<Known>> Take(data::Loader& loader, runtime::Session& model,
                                         size_t max_bytes, Progress& progress);
  std::vector<Known> known_;
};

}  // namespace pare::compress
