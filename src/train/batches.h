// The batches of a run in their order: samples shuffled anew for each epoch, read ahead, augmented.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "data/dataset.h"
#include "graph/graph.h"
#include "train/augment.h"

namespace pare::train {

struct BatchOptions {
  int64_t batch = 64, parts = 1;  // samples of a step, and the parts that it is computed in
  uint64_t seed = 0;              // of the order, the augmentation
  AugmentOptions augment;
};

class Batches {
 public:
  Batches(const graph::Graph& model, std::shared_ptr<const data::Dataset> dataset,
          std::vector<int64_t> indices, const data::Preprocess& preprocess, BatchOptions options);

  // Those that fill no batch at an epoch's end are left out of it.
  int64_t steps_an_epoch() const { return std::ssize(indices_) / options_.batch; }
  const std::vector<int64_t>& indices() const { return indices_; }
  const data::Dataset& dataset() const { return *dataset_; }
  const data::Preprocess& preprocess() const { return preprocess_; }

  // A part of a step, both from 0; the same whenever it is asked for, and read ahead where all are
  // asked for in their order.
  Result<TrainBatch> At(int64_t step, int64_t part);

 private:
  // Places the loader before the step.
  Status GoTo(int64_t step);

  std::vector<data::InputSpec> inputs_;
  std::shared_ptr<const data::Dataset> dataset_;
  std::vector<int64_t> indices_;
  data::Preprocess preprocess_;
  BatchOptions options_;
  std::optional<data::Loader> loader_;
  int64_t next_ = 0;  // the part of the run that the loader gives next
};

}  // namespace pare::train
