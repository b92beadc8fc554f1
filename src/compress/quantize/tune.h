// Tuning of a quantization by training (quantization-aware training): the float model teaches what
// it was made from, through roundings that stand in the graph, without labels. A part of the
// samples stays aside; the tuned form replaces the other only where it is nearer to the float model
// on them, and holds --max-drop, too.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/train.h"

namespace pare::compress {

struct Job;

double DefaultTuneRate(train::OptimizerKind kind);

struct TuneOptions {
  TuneOptions();
  // Steps or epochs, batch, optimizer, schedule, augmentation, checkpoint; parameters.also is set,
  // and Quantize sets the seed: that of its split.
  train::TrainOptions train;
  int64_t validation = 500;  // samples that choose the best weights; a quarter of all at most
  // As in DistillOptions: the teacher's part in the loss, the rest is the labels'.
  float alpha = 1, temperature = 4;
};

struct Tuned {
  // The tuned form is nearer to the float model than the one before, and holds what that held.
  bool kept = false;
  // Of the outputs, Σ model² / Σ (form − model)² in dB; for classifiers the agreement, percent. On
  // the validation samples, as integers.
  double snr_before = 0, snr_after = 0;
  std::optional<double> agreement_before, agreement_after;
  int64_t training_samples = 0, validation_samples = 0;
  int64_t steps = 0, best_step = 0;
  double seconds = 0, samples_per_second = 0;
  std::vector<train::HistoryRow> history;  // scores are dB
};

// Tunes job.best on the samples `pool` against `teacher`, the float model. Where there is a limit
// (--max-drop), the tuned form is kept only if it holds it on the samples `steering`.
Result<Tuned> Tune(Job& job, const graph::Graph& teacher, const TuneOptions& options,
                   std::vector<int64_t> pool, const std::vector<int64_t>& steering);

}  // namespace pare::compress
