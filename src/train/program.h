// One training step as a graph that runs: forward, loss, gradients, updates.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/model.h"
#include "train/objective.h"
#include "train/optimizer.h"
#include "train/parameters.h"

namespace pare::train {

struct ProgramOptions {
  int64_t batch = 64;
  ParameterOptions parameters;
  OptimizerOptions optimizer;
};

struct StepResult {
  float loss = 0;
  float gradient_norm = 0;
};

// Values that live from step to step: parameters, running statistics, the optimizer's states.
// Their bytes are the program's own and change while it runs.
struct State {
  std::string name;
  graph::ValueId id;  // in the step's graph, and for what came from the model there, too
  Tensor data;
};

class Program {
 public:
  // `model` as loaded with kTrainable. Errors name the node that can't be differentiated.
  static Result<Program> Make(const graph::Graph& model, Objective& objective,
                              const model::Context& context, const ProgramOptions& options);

  // One step on one batch of exactly options.batch samples; `step` counts from 1. Where the loss
  // or the gradient is not finite nothing has moved, and FindNotFinite tells where that began.
  Result<StepResult> Run(const TrainBatch& batch, double rate, int64_t step);
  // The first layer whose result is not finite, by name; runs the step once more.
  Result<std::string> FindNotFinite(const TrainBatch& batch, double rate, int64_t step);

  const graph::Graph& graph() const { return step_; }
  std::vector<State>& states() { return states_; }
  const std::vector<State>& states() const { return states_; }
  // The model with the weights and statistics as they are now (averaged weights, where there are
  // such).
  Result<graph::Graph> Finished() const;

 private:
  Program() = default;
  Result<std::vector<Tensor>> InputsFor(const TrainBatch& batch, double rate, int64_t step);

  graph::Graph model_;
  graph::Graph step_;
  Objective* objective_ = nullptr;
  model::Context context_;
  std::vector<graph::ValueId> parameters_;
  std::vector<Average> averages_;
  std::vector<State> states_;
  std::unique_ptr<runtime::Session> session_;
  std::vector<Tensor> outputs_;
};

}  // namespace pare::train
