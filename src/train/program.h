// One training step as a graph that runs: forward, loss, gradients, updates.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/model.h"
#include "train/masks.h"
#include "train/objective.h"
#include "train/optimizer.h"
#include "train/parameters.h"

namespace pare::train {

struct ProgramOptions {
  int64_t batch = 64;                    // samples a step
  std::string batch_option = "--batch";  // what the caller's command calls it, for messages
  // Parts that a step's batch is computed in, one after the other: their gradients add up.
  // Normalisations see one part at a time.
  int64_t parts = 1;
  // Of the model's inputs, for one part. Empty: as the model has them, where all but the batch is
  // known.
  std::vector<Dims> shapes{};
  // What a step's plan and states may take; activations are computed anew in the backward pass
  // where they don't fit. 0: no limit.
  int64_t max_memory_bytes = 0;
  ParameterOptions parameters;
  // Weights of matrices and filters that are 0 in the model stay 0 (train/masks.h).
  bool keep_zeros = false;
  OptimizerOptions optimizer;
};

// Fails (kUsage) where the parts don't divide the batch.
Status CheckParts(const ProgramOptions& options);

struct StepResult {
  float loss = 0;
  float gradient_norm = 0;  // of the step's parts so far, divided by their number in all
};

// Where in the run a batch is.
struct StepPlace {
  int64_t step = 1;  // from 1
  int64_t part = 0;  // of the step
  double rate = 0;   // of learning
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

  // One part of a step, of exactly options.batch / options.parts samples; the last one moves the
  // parameters. Where the loss or the gradient is not finite none has moved, and FindNotFinite
  // tells where that began.
  Result<StepResult> Run(const TrainBatch& batch, const StepPlace& place);
  // The first layer whose result is not finite, by name; runs the part once more. −∞ that comes
  // from an operand, as masks have it, is no fault. The sums of the step's parts are lost.
  Result<std::string> FindNotFinite(const TrainBatch& batch, const StepPlace& place);

  const graph::Graph& graph() const { return step_; }
  const Objective& objective() const { return *objective_; }
  // Of the plan and the states; the place in kRecomputations of what it took (train/recompute.h).
  int64_t memory_bytes() const { return memory_bytes_; }
  int recomputation() const { return recomputation_; }
  // What stays 0, where options.keep_zeros.
  std::span<const Mask> masks() const { return masks_; }
  std::vector<State>& states() { return states_; }
  // Copies of what all states hold, and that put back; of an empty tensor, zeros.
  Result<std::vector<Tensor>> CopyStates() const;
  // The same of a program that hasn't run, with hardly any memory: zeros are empty tensors, and
  // what the model holds is shared with it.
  Result<std::vector<Tensor>> StartStates() const;
  void PutStates(std::span<const Tensor> copies);
  const std::vector<State>& states() const { return states_; }
  // No step follows: gives back what they computed in. States stay.
  void EndSteps() { session_.reset(); }
  // The model with the weights and statistics as they are now (or averaged, where options.ema).
  Result<graph::Graph> Finished() const;

 private:
  Program() = default;
  bool IsOfModel(graph::ValueId id) const;  // and stored there
  Result<std::vector<Tensor>> InputsFor(const TrainBatch& batch, const StepPlace& place);
  Status FitMemory(const ProgramOptions& options);

  graph::Graph model_;
  graph::Graph step_;
  Objective* objective_ = nullptr;
  int64_t parts_ = 1;
  model::Context context_;
  std::vector<graph::ValueId> parameters_;
  std::vector<Mask> masks_;
  std::vector<Average> averages_;
  std::vector<State> states_;
  int64_t memory_bytes_ = 0;
  int recomputation_ = 0;
  std::unique_ptr<runtime::Session> session_;
  std::vector<Tensor> outputs_;
};

}  // namespace pare::train
