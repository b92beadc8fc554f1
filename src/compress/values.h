// How near a model's first output is to values that it shall have.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/progress.h"
#include "data/loader.h"
#include "runtime/session.h"

namespace pare::compress {

struct ValueErrors {
  // The part of the targets' variance that the output explains, 1 − Σ (y − t)² / Σ (t − mean t)²;
  // each place of a row has a mean of its own. Nothing where the targets are all the same.
  std::optional<double> r2;
  double mae = 0, rmse = 0;  // the mean of |y − t|, and the root of the mean of (y − t)²
};

class ValueScore {
 public:
  // The targets of the samples `indices` (train::CheckTargets), and as many first rows of `output`.
  // Fails where the output has no such rows of floats.
  Status Add(const data::Dataset& targets, std::span<const int64_t> indices, const Tensor& output);
  // As in ValueErrors, for choosing: where the targets are all the same, hardly anything is a large
  // error, and anything is better than what is no number.
  double r2() const;
  ValueErrors errors() const;

 private:
  double variance() const;

  std::vector<double> sum_;  // of the targets, by place
  double squares_ = 0, squared_error_ = 0, absolute_error_ = 0, rows_ = 0;
};

struct ValueEvaluation {
  ValueErrors errors;
  int64_t count = 0;  // samples
  double seconds = 0;
};

// Runs the session over the loader's samples.
Result<ValueEvaluation> EvaluateValues(runtime::Session& session, data::Loader& loader,
                                       const data::Dataset& targets, Progress& progress);

}  // namespace pare::compress
