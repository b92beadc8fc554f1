// What `train` and `distill` share: options, the run, its curve and report.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "compress/validate.h"
#include "train/train.h"

namespace pare::cli {

struct TrainingOptions {
  std::string output, curve;
  DataOptions data;
  int threads = 0;
  int64_t validation = 1000;
  int64_t max_memory_mb = 0;  // 0: no limit
  train::TrainOptions train;
  bool writes = true;  // the model: else the caller does, if it likes what it got

  void Declare(Parser& parser);
  // What of these says how training goes: the run, the optimizer, augmentation.
  void DeclareTraining(Parser& parser);
  // What isn't given goes by the network (train/defaults.h). Tells so.
  void UseDefaultsFor(const graph::Graph& graph, Console& console);
  // Fails where options contradict each other.
  Status Check() const;
  // `train` with what was given, behind UseDefaultsFor.
  train::TrainOptions How() const;
  // What these options read and write.
  CommandFiles Files() const;

  // Where an option was given: others may contradict it.
  std::optional<train::OptimizerKind> given_optimizer;
  std::optional<double> given_rate, given_momentum, given_clip;
  std::optional<int64_t> given_epochs, given_steps;

 private:
  void DeclareRun(Parser& parser);
  void DeclareOptimizer(Parser& parser);
  void DeclareAugmentation(Parser& parser);
};

struct TrainingReport {
  TrainingOptions options;
  train::Trained trained;
  std::string score_name;  // "top-1", "agreement", "cosine", "snr"
  double score_before = 0, score_after = 0;
  int64_t training_samples = 0, validation_samples = 0;
  int64_t bytes = 0, peak_bytes = 0;
  std::vector<std::string> notes;
};
Json ToJson(const TrainingReport& report);
std::string ToText(const TrainingReport& report);
// "3.5 s, 120 samples/s", the rate where there is one.
std::string PaceText(double seconds, std::optional<double> samples_per_second);

// A model that shall be trained: loaded so, in float32, with the preprocessing that was given.
// `files` are those of the options and the command; the model's join them. The first that would be
// overwritten is an error.
Result<model::Model> LoadTrainable(const std::string& path, const TrainingOptions& options,
                                   CommandFiles& files, Console& console);

// What a model is trained on, and by.
struct TrainingSetup {
  std::shared_ptr<const data::Dataset> dataset;
  compress::TrainingSplit split;
  compress::Validation validation;
  model::Context context;
};
// The data as `known` tells what it is; validated as `model`, which is trained, takes it. Its files
// join the others, as above. `others` as in DataOptions::Open.
Result<TrainingSetup> SetUpTraining(const TrainingOptions& options, const model::Model& model,
                                    const model::Model& known, CommandFiles& files,
                                    Console& console,
                                    std::span<const model::Model* const> others = {});

struct TrainingJob {
  const model::Model& model;
  const TrainingSetup& setup;
  train::Objective& objective;
  train::Score score;
  std::string score_name, command;
  std::vector<std::string> teachers;  // paths
  bool values = false;                // the outputs are values, and no scores of classes
  bool targets_apart = false;         // these are in a file of their own
};
// Trains, writes the model (with its run record) and the curve, and reports.
Result<TrainingReport> RunTraining(const TrainingOptions& options, const TrainingJob& job,
                                   Console& console);

}  // namespace pare::cli
