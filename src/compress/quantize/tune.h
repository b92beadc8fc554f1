// Tuning of a quantization by training (quantization-aware training): the float model teaches what
// it was made from, through roundings that stand in the graph, without labels. A part of the
// samples stays aside; the tuned form replaces the other only where it is nearer to the float model
// on them (CompareForms), and holds --max-drop, too.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compress/score.h"
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

// The outputs of a form beside those of the one before, both against the float model's.
enum class Nearness : uint8_t {
  kNearer,      // less error (snr)
  kAgreesLess,  // less error, and fewer agreeing answers of a classifier than chance explains
  kNotNearer,
};
Nearness CompareForms(const PairScore& before, const PairScore& after, bool classifies);

struct Tuned {
  // The tuned form is kNearer to the float model than the one before, and holds what that held.
  bool kept = false;
  // Of the outputs, Σ model² / Σ (form − model)² in dB; for classifiers the agreement, percent. On
  // the validation samples, as integers.
  double snr_before = 0, snr_after = 0;
  std::optional<double> agreement_before, agreement_after;
  int64_t training_samples = 0, validation_samples = 0;
  int64_t steps = 0, best_step = 0;
  double seconds = 0;
  std::optional<double> samples_per_second;  // as train::Trained's
  std::vector<train::HistoryRow> history;    // scores are dB
};

// Fails (kUsage) where Tune would do so for want of samples, or because pictures are to be
// augmented and there are none: for those who work long before they tune.
Status CheckTuning(const graph::Graph& model, const TuneOptions& options,
                   const std::vector<int64_t>& pool);

// Tunes job.best on the samples `pool` against `teacher`, the float model. Where there is a limit
// (--max-drop), the tuned form is kept only if it holds it on the samples `steering`.
Result<Tuned> Tune(Job& job, const graph::Graph& teacher, const TuneOptions& options,
                   std::vector<int64_t> pool, const std::vector<int64_t>& steering);

}  // namespace pare::compress
