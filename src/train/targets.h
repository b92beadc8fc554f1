// Training by values: what the model's first output shall be, sample by sample.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "data/dataset.h"
#include "train/objective.h"

namespace pare::train {

enum class TargetLoss : uint8_t { kMse, kHuber, kCosine };
Result<TargetLoss> ParseTargetLoss(std::string_view name);

// Fails (kUsage) where `targets`, numbers for each sample, are not as many as the samples.
Status CheckTargets(const data::Dataset& targets, const data::Dataset& samples);

// The values of these samples: f32 `shape`, whose first dimension counts them.
Result<Tensor> TargetRows(const data::Dataset& targets, std::span<const int64_t> indices,
                          const Dims& shape);

// f32 [rows, …], mixed as the samples are.
Result<Tensor> MixedTargets(const Tensor& rows, const Mixture& mixture);

// The loss of the first output against `targets`, which hold as many numbers for each sample; mixup
// mixes them as the samples.
class TargetObjective : public Objective {
 public:
  // Reads all targets once: a run goes on with the same ones alone.
  static Result<std::unique_ptr<TargetObjective>> Make(std::shared_ptr<const data::Dataset> targets,
                                                       TargetLoss loss);
  Result<ops::Var> Emit(LossContext& context) override;
  Result<std::vector<Tensor>> Targets(const TrainBatch& batch) override;
  std::string Identity() const override;

 private:
  TargetObjective(std::shared_ptr<const data::Dataset> targets, TargetLoss loss, uint64_t content)
      : targets_(std::move(targets)), loss_(loss), content_(content) {}

  std::shared_ptr<const data::Dataset> targets_;
  TargetLoss loss_;
  uint64_t content_;
  Dims shape_;  // of the output
};

}  // namespace pare::train
