#include "compress/values.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/for_each_answer.h"
#include "platform/clock.h"
#include "train/targets.h"

namespace pare::compress {

Status ValueScore::Add(const data::Dataset& targets, std::span<const int64_t> indices,
                       const Tensor& output) {
  Dims shape = output.shape();
  const std::ptrdiff_t rows = std::ssize(indices);
  if (output.dtype() != DType::kF32 || shape.empty() || shape[0] < rows) {
    return Unsupported(
        Text("the first output is ", DTypeName(output.dtype()), DimsText(shape), " for ", rows,
             rows == 1 ? " sample" : " samples", ", and no row of numbers for each"),
        "targets are what an output of [batch, …] floats shall be");
  }
  shape[0] = rows;
  PARE_ASSIGN(const Tensor expected, train::TargetRows(targets, indices, shape));
  const auto t = expected.as<float>(), y = output.as<float>();
  sum_.resize(t.size() / static_cast<size_t>(std::max<std::ptrdiff_t>(1, rows)));
  for (size_t i = 0; i < t.size(); ++i) {
    const double error = static_cast<double>(y[i]) - t[i];
    squared_error_ += error * error;
    absolute_error_ += std::abs(error);
    squares_ += static_cast<double>(t[i]) * t[i];
    sum_[i % sum_.size()] += t[i];
  }
  rows_ += static_cast<double>(rows);
  return {};
}

double ValueScore::variance() const {
  double variance = squares_;
  for (const double sum : sum_) variance -= sum * sum / std::max(rows_, 1.0);
  return variance;
}

double ValueScore::r2() const {
  const double r2 = 1 - squared_error_ / std::max(variance(), 1e-12 * squares_ + 1e-30);
  return std::isfinite(r2) ? r2 : std::numeric_limits<double>::lowest();
}

ValueErrors ValueScore::errors() const {
  const double count = std::max(1.0, rows_ * static_cast<double>(sum_.size()));
  ValueErrors errors{
      .r2 = {}, .mae = absolute_error_ / count, .rmse = std::sqrt(squared_error_ / count)};
  if (variance() > 1e-12 * squares_ + 1e-30) errors.r2 = 1 - squared_error_ / variance();
  return errors;
}

Result<ValueEvaluation> EvaluateValues(runtime::Session& session, data::Loader& loader,
                                       const data::Dataset& targets, Progress& progress) {
  const Stopwatch watch;
  ValueEvaluation evaluation;
  ValueScore score;
  PARE_TRY(ForEachAnswer(session, loader, "evaluating", progress,
                         [&](const data::Batch& batch, const std::vector<Tensor>& outputs) {
                           evaluation.count += batch.count();
                           return score.Add(targets, batch.indices, outputs[0]);
                         }));
  evaluation.errors = score.errors();
  evaluation.seconds = watch.seconds();
  return evaluation;
}

}  // namespace pare::compress
