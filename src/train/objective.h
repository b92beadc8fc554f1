// What training minimises: a loss on the model's values, and what it is compared with.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/loader.h"
#include "ops/emit.h"

namespace pare::train {

// Rows of a batch that were mixed with others (mixup): row i is weight · i + (1 − weight) ·
// partner[i]. No partners: not mixed.
struct Mixture {
  std::vector<int64_t> partner;
  float weight = 1;
};

struct TrainBatch {
  data::Batch data;
  Mixture mixture;
};

// What an objective may do to the graph: it reads the model's values in their plain layout, and
// adds inputs and parameters of its own.
class LossContext {
 public:
  LossContext(ops::Emitter& emit, std::vector<ops::Var> outputs)
      : emit_(emit), outputs_(std::move(outputs)) {}

  ops::Emitter& emit() { return emit_; }
  const std::vector<ops::Var>& outputs() const { return outputs_; }
  // A value inside of the model, by name; an error that lists what is near where there is none.
  Result<ops::Var> value(std::string_view name);
  // An input of the step, fed by Objective::Targets in the order of these calls.
  ops::Var AddTarget(std::string_view name, const Dims& shape);
  // A parameter that is trained along and not exported (a projection).
  ops::Var AddParameter(std::string_view name, Tensor initial);

  const std::vector<graph::ValueId>& parameters() const { return parameters_; }

 private:
  ops::Emitter& emit_;
  std::vector<ops::Var> outputs_;
  std::vector<graph::ValueId> parameters_;
};

class Objective {
 public:
  virtual ~Objective() = default;
  // The loss: one number.
  virtual Result<ops::Var> Emit(LossContext& context) = 0;
  // What Emit asked for, for one batch.
  virtual Result<std::vector<Tensor>> Targets(const TrainBatch& batch) = 0;
  // All that the loss depends on beside the graph, in one line: a run that was stopped goes on with
  // the same objective alone.
  virtual std::string Identity() const = 0;
};

struct LabelOptions {
  float smoothing = 0;  // of the labels (Szegedy et al. 2016, §7)
};

// Cross-entropy of the first output against the batch's labels.
class LabelObjective : public Objective {
 public:
  explicit LabelObjective(LabelOptions options = {}) : options_(options) {}
  Result<ops::Var> Emit(LossContext& context) override;
  Result<std::vector<Tensor>> Targets(const TrainBatch& batch) override;
  std::string Identity() const override { return Text("labels, smoothing ", options_.smoothing); }

 private:
  LabelOptions options_;
  int64_t classes_ = 0;
};

// Cross-entropy of the first output, [batch, classes ≥ 2, 1…], against a target "labels" that
// LabelRows makes for as many classes.
struct LabelLoss {
  ops::Var loss;
  int64_t classes;
};
Result<LabelLoss> EmitLabelLoss(LossContext& context);

// Fails (kUsage) where some of these samples have no label, with the first one's name.
Status CheckLabelled(const data::Dataset& dataset, std::span<const int64_t> indices);

// Rows of probabilities [batch, classes] for labels; a label that is no class is an error.
Result<Tensor> LabelRows(const TrainBatch& batch, int64_t classes, float smoothing);

}  // namespace pare::train
