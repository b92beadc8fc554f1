// What a graph computes on unlabelled samples: rows of its layers, and sums over them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/function_ref.h"
#include "base/progress.h"
#include "compress/prune/least_squares.h"
#include "compress/prune/linear.h"
#include "data/loader.h"
#include "model/model.h"

namespace pare::compress {

// Samples that are run again and again, in memory.
class CalibrationBatches {
 public:
  // `specs` as model::InputSpecs gives them. Few samples a batch, so that several threads have
  // work.
  static Result<CalibrationBatches> Load(std::shared_ptr<const data::Dataset> dataset,
                                         std::vector<data::InputSpec> specs,
                                         std::vector<int64_t> indices,
                                         const data::Preprocess& preprocess, Progress& progress);

  const std::vector<data::Batch>& batches() const { return batches_; }
  int64_t samples() const { return samples_; }
  // Of the places of a layer's output, how many are looked at in each sample: enough for a fit of
  // so many columns, within the memory that rows of so many columns or outputs may take.
  int64_t PlacesFor(int64_t columns, int64_t outputs) const;
  RowChoice Choice(size_t batch, int64_t per_sample) const;

  // Runs `graph` as far as `values` need it, batches side by side; look(batch, their tensors).
  using Look = FunctionRef<Status(size_t batch, std::span<const Tensor> values)>;
  Status Run(const graph::Graph& graph, std::span<const graph::ValueId> values,
             const model::Context& context, Progress& progress, Look look) const;

 private:
  std::vector<data::Batch> batches_;
  std::vector<int64_t> first_;  // by batch: the number of its first sample
  int64_t samples_ = 0, batch_ = 1;
};

// By batch: the rows of one layer.
using Rows = std::vector<Tensor>;

// Every so many batches are kept back from a fit, to choose its ridge by.
inline constexpr size_t kHeldEvery = 5;
struct SplitMoments {
  Moments fit, held;
  Moments all() const {
    Moments sum = fit;
    sum.Merge(held);
    return sum;
  }
};
// Sums over rows x [r, columns] with y [r, outputs]; without y (no tensors), of x alone. Products
// of a batch are computed in float32, and summed in double precision.
Result<SplitMoments> SumMoments(const Rows& x, const Rows& y, const model::Context& context);

}  // namespace pare::compress
