#include "compress/class_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

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

// KL(p ‖ q), of logarithms.
double Divergence(const std::vector<double>& p, const std::vector<double>& q) {
  double sum = 0;
  for (size_t i = 0; i < std::min(p.size(), q.size()); ++i) sum += std::exp(p[i]) * (p[i] - q[i]);
  return sum;
}

int64_t Highest(const std::vector<float>& row) {
  return std::ranges::max_element(row) - row.begin();
}

bool HasNan(const std::vector<float>& row) {
  return std::ranges::any_of(row, [](float x) { return std::isnan(x); });
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
    sum_ += Divergence(LogProbabilities(RowOf(reference, r), reference_probabilities_),
                       LogProbabilities(RowOf(scores, r), probabilities_));
    ++rows_;
  }
}

void PositionScore::Add(size_t output, std::span<const float> reference, const Tensor& scores,
                        int axis, int64_t samples) {
  if (outputs_.size() <= output) outputs_.resize(output + 1);
  Sums& sums = outputs_[output];
  const Dims& shape = scores.shape();
  const int64_t classes = shape[static_cast<size_t>(axis)];
  int64_t outer = samples, inner = 1;
  for (int i = 1; i < scores.rank(); ++i) {
    if (i != axis) (i < axis ? outer : inner) *= shape[static_cast<size_t>(i)];
  }
  const auto at = [&](std::span<const float> all, int64_t row, int64_t place) {
    std::vector<float> position;
    for (int64_t c = 0; c < classes; ++c)
      position.push_back(all[static_cast<size_t>((row * classes + c) * inner + place)]);
    return position;
  };
  for (int64_t row = 0; row < outer; ++row) {
    for (int64_t place = 0; place < inner; ++place) {
      const std::vector<float> asked = at(reference, row, place),
                               given = at(scores.as<float>(), row, place);
      sums.divergence += Divergence(LogProbabilities(asked, false), LogProbabilities(given, false));
      sums.agreeing += !HasNan(given) && Highest(asked) == Highest(given);
      ++sums.positions;
    }
  }
}

double PositionScore::agreement() const {
  double sum = 0;
  for (const Sums& of : outputs_) {
    sum += 100 * static_cast<double>(of.agreeing) /
           static_cast<double>(std::max<int64_t>(1, of.positions));
  }
  return sum / static_cast<double>(std::max<size_t>(1, outputs_.size()));
}

double PositionScore::divergence() const {
  double sum = 0;
  for (const Sums& of : outputs_)
    sum += of.divergence / static_cast<double>(std::max<int64_t>(1, of.positions));
  return sum;
}

}  // namespace pare::compress
