#include "compress/prune/output_error.h"

namespace pare::compress {
namespace {

std::vector<graph::ValueId> OutputValues(const graph::Graph& graph) {
  std::vector<graph::ValueId> values;
  for (const graph::Output& output : graph.outputs()) values.push_back(output.value);
  return values;
}

}  // namespace

Result<OutputError> OutputError::Make(const graph::Graph& model, const CalibrationBatches& probe,
                                      const model::Context& context, Progress& progress) {
  OutputError error(probe, context);
  error.classifies_ = ChooseMetric(Metric::kAuto, model) == Metric::kTop;
  error.answers_.resize(probe.batches().size());
  PARE_TRY(probe.Run(model, OutputValues(model), context, progress,
                     [&](size_t batch, std::span<const Tensor> seen) -> Status {
                       error.answers_[batch].assign(seen.begin(), seen.end());
                       return ToF32(error.answers_[batch]);
                     }));
  return error;
}

Result<PairScore> OutputError::Compare(const graph::Graph& changed, Progress& progress) const {
  std::vector<PairScore> scores(answers_.size());
  PARE_TRY(probe_->Run(changed, OutputValues(changed), *context_, progress,
                       [&](size_t batch, std::span<const Tensor> seen) -> Status {
                         std::vector<Tensor> answers(seen.begin(), seen.end());
                         PARE_TRY(ToF32(answers));
                         return scores[batch].Add(answers_[batch], answers,
                                                  probe_->batches()[batch].count());
                       }));
  for (size_t i = 1; i < scores.size(); ++i) scores[0].Merge(scores[i]);
  return scores.empty() ? PairScore() : scores[0];
}

}  // namespace pare::compress
