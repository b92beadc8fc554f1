// What the removal of a group's units loses, told from what the model computes on samples: in which
// order they go by the layers that sum over them (elimination.h), and how much of that arrives at
// the model's outputs, measured.
#pragma once

#include <memory>
#include <vector>

#include "compress/prune/calibration.h"
#include "compress/prune/groups.h"
#include "compress/prune/plan.h"

namespace pare::compress {

enum class JudgeBy : uint8_t { kLeastSquares, kContribution };

class Judge {
 public:
  // `fit`: the samples that layers' inputs are read from; `probe`: others, that losses are measured
  // on. Both outlive the judge, as the model does.
  static Result<Judge> Make(const graph::Graph& model, const Channels& channels,
                            const Calibration& fit, const Calibration& probe,
                            const model::Context& context);

  // Fills order and loss of a candidate whose widths are known: the loss is the outputs'
  // Σ (pruned − model)² / Σ model², measured at some widths and between them as the layers' own
  // losses go. False where no layer that sums over the group can be read.
  Result<bool> Fill(JudgeBy by, PruneCandidate& candidate, Progress& progress);

 private:
  Judge(const graph::Graph& model, const Channels& channels, const Calibration& fit,
        const Calibration& probe, const model::Context& context)
      : model_(&model), channels_(&channels), fit_(&fit), probe_(&probe), context_(&context) {}

  Result<double> ErrorOf(const graph::Graph& changed, Progress& progress) const;

  const graph::Graph* model_;
  const Channels* channels_;
  const Calibration* fit_;
  const Calibration* probe_;
  const model::Context* context_;
  std::vector<std::vector<Tensor>> answers_;  // of the model, by batch of `probe`
};

}  // namespace pare::compress
