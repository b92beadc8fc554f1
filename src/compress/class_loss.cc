#include "compress/class_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "compress/row.h"
#include "train/loss.h"

namespace pare::compress {
namespace {

const double kLeast = std::log(1e-30);

bool EndsInSoftmax(const graph::Graph& graph) {
  const graph::ValueId output = graph.outputs()[0].value;
  return train::LogitsOf(graph, output) != output;
}

// The logarithms of the probabilities that a row of scores stands for.
std::vector<double> LogProbabilities(std::span<const float> row, bool probabilities) {
  std::vector<double> logs(row.begin(), row.end());
  if (probabilities) {
    for (double& x : logs) x = std::log(x);
  } else {
    const double highest = *std::ranges::max_element(logs);
    double sum = 0;
    for (const double x : logs) sum += std::exp(x - highest);
    for (double& x : logs) x -= highest + std::log(sum);
  }
  for (double& x : logs) x = x > kLeast ? x : kLeast;  // NaN is not
  return logs;
}

}  // namespace

ClassLoss::ClassLoss(const graph::Graph& graph, float smoothing)
    : probabilities_(EndsInSoftmax(graph)), smoothing_(smoothing) {}

ClassLoss::ClassLoss(const graph::Graph& graph, const graph::Graph& reference)
    : probabilities_(EndsInSoftmax(graph)), reference_probabilities_(EndsInSoftmax(reference)) {}

void ClassLoss::Add(const Tensor& scores, std::span<const int64_t> labels, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<const float> row = RowOf(scores, r);
    if (labels[r] < 0 || labels[r] >= std::ssize(row)) continue;
    const std::vector<double> logs = LogProbabilities(row, probabilities_);
    const double mean =
        std::accumulate(logs.begin(), logs.end(), 0.0) / static_cast<double>(logs.size());
    sum_ -= (1 - smoothing_) * logs[labels[r]] + smoothing_ * mean;
    ++rows_;
  }
}

void ClassLoss::Add(const Tensor& reference, const Tensor& scores, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const std::vector<double> p = LogProbabilities(RowOf(reference, r), reference_probabilities_);
    const std::vector<double> q = LogProbabilities(RowOf(scores, r), probabilities_);
    for (size_t i = 0; i < std::min(p.size(), q.size()); ++i)
      sum_ += std::exp(p[i]) * (p[i] - q[i]);
    ++rows_;
  }
}

}  // namespace pare::compress
