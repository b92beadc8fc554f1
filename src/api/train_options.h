// From the public options of training to those of the room `train`.
#pragma once

#include "pare/train.h"
#include "train/train.h"

namespace pare {

// Fails (kUsage) where one is out of its bounds, which are those of the command line.
Status CheckOptions(const TrainOptions& options);

// What is not given goes by the model (train/defaults.h), and `progress` is told.
Result<train::TrainOptions> ToInternal(const TrainOptions& options, const graph::Graph& model,
                                       Progress& progress);

}  // namespace pare
