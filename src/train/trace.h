// What a run computed with, as files that another trainer can follow: the states at its start, and
// the batch of each step.
#pragma once

#include <string>

#include "train/checkpoint.h"

namespace pare::train {

class Trace {
 public:
  // Makes the folder. An empty path: nothing is ever written.
  static Result<Trace> Begin(const std::string& folder);

  // start.npz: now/NAME of each parameter, statistic and optimizer state; as a checkpoint.
  Status WriteStart(const Program& program, const std::string& run) const;
  // step_000001.npz (step_000001_0.npz … where a step has several parts): input/NAME of each input,
  // labels, loss, rate; partner and weight where rows were mixed.
  Status WriteStep(const graph::Graph& model, const TrainBatch& batch, const StepPlace& place,
                   int64_t parts, float loss) const;

 private:
  std::string folder_;
};

}  // namespace pare::train
