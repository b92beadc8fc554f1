// How far a changed model's answers are from the model's, on samples in memory.
#pragma once

#include <optional>
#include <vector>

#include "compress/prune/calibration.h"
#include "compress/score.h"

namespace pare::compress {

class OutputError {
 public:
  // Runs the model once. `probe` and `context` are referred to.
  static Result<OutputError> Make(const graph::Graph& model, const CalibrationBatches& probe,
                                  const model::Context& context, Progress& progress);

  // Of all samples and outputs; `changed` has the model's inputs and outputs.
  Result<PairScore> Compare(const graph::Graph& changed, Progress& progress) const;
  bool classifies() const { return classifies_; }

 private:
  OutputError(const CalibrationBatches& probe, const model::Context& context)
      : probe_(&probe), context_(&context) {}

  const CalibrationBatches* probe_;
  const model::Context* context_;
  bool classifies_ = false;
  std::vector<std::vector<Tensor>> answers_;  // of the model, by batch
};

}  // namespace pare::compress
