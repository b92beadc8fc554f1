// How good a model is while it is trained: scores on samples that training doesn't see.
#pragma once

#include <memory>
#include <vector>

#include "compress/score.h"
#include "model/model.h"
#include "train/targets.h"
#include "train/train.h"

namespace pare::compress {

// Samples kept back from training.
struct Validation {
  std::shared_ptr<const data::Dataset> dataset;
  std::vector<int64_t> indices;
  data::Preprocess preprocess;
  int64_t batch = 64;
};

// What is measured against another model's answers.
enum class Likeness : uint8_t {
  kAgreement,  // of classifiers, percent
  kPositions,  // the same of each position of dense outputs, a final Softmax looked through
  kCosine,     // of the outputs
  kSnr,        // of the outputs, dB (PairScore::snr)
};
std::string_view LikenessName(Likeness likeness);

// Top-1 by the samples' labels, percent; their cross-entropy, smoothed as in training, decides
// where kNoGainInHits samples are the difference.
train::Score ScoreByLabels(const Validation& validation, float smoothing,
                           const model::Context& context, Progress& progress);

// The first output against values that it shall have: the mean cosine where that is the loss, else
// R² (ValueScore).
train::Score ScoreByTargets(const Validation& validation,
                            std::shared_ptr<const data::Dataset> targets, train::TargetLoss loss,
                            const model::Context& context);
std::string_view TargetScoreName(train::TargetLoss loss);  // "cosine", "r2"

// The answers of two models to all samples of the validation; their divergence is added to `loss`,
// where it is given.
Result<PairScore> ComparePairs(runtime::Session& reference, runtime::Session& other,
                               const Validation& validation, ClassLoss* loss = nullptr);

// `reference` is simplified. Where kNoGainInHits samples (or as many samples' positions) are the
// difference of two agreements, the divergence from the reference's classes decides.
Result<train::Score> ScoreByReference(const graph::Graph& reference, Likeness likeness,
                                      const Validation& validation, const model::Context& context);

struct TrainingSplit {
  std::vector<int64_t> training, validation;
};
// `pool` shuffled by the seed: the first `kept` validate, the others train; both ascending.
TrainingSplit DividePool(std::vector<int64_t> pool, int64_t kept, uint64_t seed);
// `validation` samples, drawn by the seed, are kept back; a quarter of the data at most.
TrainingSplit SplitForTraining(const data::Dataset& dataset, int64_t validation, int64_t limit,
                               uint64_t seed);

}  // namespace pare::compress
