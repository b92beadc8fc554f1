// What the removal of a group's units loses, told from what the model computes on samples: in which
// order they go by the layers that sum over them (elimination.h), and how much of that arrives at
// the model's outputs, measured.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "compress/prune/calibration.h"
#include "compress/prune/elimination.h"
#include "compress/prune/groups.h"
#include "compress/prune/output_error.h"
#include "compress/prune/plan.h"

namespace pare::compress {

enum class JudgeBy : uint8_t { kLeastSquares, kContribution };

// The layers that sum over one group, without some of its units.
struct JudgedGroup {
  Elimination elimination;
  std::vector<int64_t> counts;  // of units gone, ascending: those that were asked for
  std::vector<graph::Graph>
      without;  // by count: the whole model, with weights that do without them
};

class Judge {
 public:
  // `fit`: the samples that layers' inputs are read from. All is referred to.
  Judge(const graph::Graph& model, const Channels& channels, const CalibrationBatches& fit,
        const OutputError& error, const model::Context& context)
      : model_(&model), channels_(&channels), fit_(&fit), error_(&error), context_(&context) {}

  // Nothing where no layer that sums over the group can be read. At most `gone` units go.
  Result<std::optional<JudgedGroup>> Eliminate(JudgeBy by, int group, int64_t gone,
                                               std::vector<int64_t> counts,
                                               Progress& progress) const;

  // Fills order and loss of a candidate whose widths are known: the loss is the outputs'
  // Σ (pruned − model)² / Σ model², measured at some widths and between them as the layers' own
  // losses go. False where there is nothing to tell it from.
  Result<bool> Fill(JudgeBy by, PruneCandidate& candidate, Progress& progress) const;

 private:
  const graph::Graph* model_;
  const Channels* channels_;
  const CalibrationBatches* fit_;
  const OutputError* error_;
  const model::Context* context_;
};

// How many units are gone at the permitted widths that are nearest to these parts of a group,
// ascending and apart.
std::vector<int64_t> CountsNear(std::span<const double> parts, const std::vector<int64_t>& widths);

}  // namespace pare::compress
