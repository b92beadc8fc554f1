// The training loop: shuffled batches, steps, validation, checkpoints, the best weights kept.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "data/dataset.h"
#include "train/augment.h"
#include "train/checkpoint.h"
#include "train/choose_rate.h"
#include "train/program.h"
#include "train/schedule.h"

namespace pare::train {

// What a run has where nothing is said: passes over the samples; steps at least, for few samples.
inline constexpr int64_t kDefaultEpochs = 10, kLeastSteps = 200;

struct TrainOptions {
  ProgramOptions program;
  Schedule schedule;  // its steps follow from `steps` or `epochs`
  // The schedule's rate is the first of those that trials choose from (train/choose_rate.h).
  bool tries_rates = false;
  int64_t epochs = 0;  // 0: kDefaultEpochs, or as many as make kLeastSteps
  int64_t steps = 0;   // > 0: instead of epochs
  uint64_t seed = 0;   // of the order, the augmentation
  AugmentOptions augment;
  int64_t validate_every = 0;    // steps; 0: an epoch
  int64_t patience = 0;          // validations without a gain until the run stops; 0: never
  std::string checkpoint;        // file; "": none is written
  int64_t checkpoint_every = 0;  // steps; 0: at each validation
  bool resume = false;           // from `checkpoint`, where it is there
  // What the caller decided by measuring before the run: the checkpoint keeps it (DecisionsIn), so
  // that a run that goes on can decide the same.
  std::string decisions;
  // A loss or gradient that is not finite ends the run as its last step would: with a note.
  bool ends_where_not_finite = false;
  std::string score_name = "validation";  // of the score, for messages
  std::string trace;  // folder for what the run computes with (train/trace.h); "": none
  // Called before a run that was better than its start ends with an error: with what it was at its
  // best validation. What it returns, where that is kept, joins the error's advice; "" says
  // nothing.
  std::function<Result<std::string>(const struct Trained& best)> rescue;
};

struct Trained {
  graph::Graph
      graph;  // with the weights of the best validation, or of the end where `score` is empty
  std::vector<HistoryRow> history;
  int64_t batch = 0;                  // of each step
  double rate = 0;                    // the highest
  int64_t steps = 0, best_step = -1;  // best_step 0: the weights that the run began with
  double start_score = 0, best_score = 0;
  std::optional<double> start_loss, best_loss;  // of the validation, where its score has one
  std::vector<bool> start_right, best_right;    // Scored::right of the two
  double seconds = 0;
  // Of this run's steps, without validations; nothing where a checkpoint left none to make.
  std::optional<double> samples_per_second;
};

// Fails (kUsage) where the checkpoint's file is there, and the run doesn't go on from it: it may be
// the work of a night. For those who work long before they train.
Status CheckCheckpoint(const TrainOptions& options);

// Samples of a step: `options.batch`, or as many as there are and can be cut into its parts.
int64_t StepBatch(const ProgramOptions& options, int64_t samples);

// The shapes of the model's inputs in one part of a step: dimensions that it leaves free are those
// of the first samples. Fails (kUsage) where there is none, or the model's batch is another.
Result<std::vector<Dims>> StepShapes(const graph::Graph& model,
                                     std::shared_ptr<const data::Dataset> dataset,
                                     std::vector<int64_t> indices,
                                     const data::Preprocess& preprocess,
                                     const ProgramOptions& options);

// The samples of the run's first step, or of the first of its parts, as Train makes them.
Result<TrainBatch> FirstBatch(const graph::Graph& model,
                              std::shared_ptr<const data::Dataset> dataset,
                              std::vector<int64_t> indices, const data::Preprocess& preprocess,
                              const TrainOptions& options);

// Trains `model` (loaded with kTrainable) on the samples `indices` of `dataset`. The same seed
// gives the same bits, for any number of threads, and after a resume.
//
// The weights at the start are the first candidate for the best: what training makes worse is not
// returned. The best are those of the lowest loss (Scored) among all whose score differs from the
// highest by no more than its margin; where a new highest score leaves those behind that were kept,
// its own take their place.
//
// Fails (kUsage) before any work where pictures are to be augmented and the model takes none, or
// augmentation would change one of several inputs that belong together.
//
// Too few samples for a batch make a smaller batch, and a note.
//
// A run that becomes not finite at a rate that trials chose, before a validation found weights
// better than the start's, begins anew by itself, as if a tenth of it had been chosen (RateBelow),
// and a note says so: three times at most. Any other loss or gradient that is not finite stops the
// run: the error (with `ends_where_not_finite` a note) names the first node that wrote such a
// value, and the last checkpoint stays. When the progress is cancelled a checkpoint is written
// first. Whatever ends the run early, `options.rescue` gets the best weights until then.
Result<Trained> Train(const graph::Graph& model, std::shared_ptr<const data::Dataset> dataset,
                      std::vector<int64_t> indices, const data::Preprocess& preprocess,
                      Objective& objective, const Score& score, const model::Context& context,
                      const TrainOptions& options, Progress& progress);

}  // namespace pare::train
