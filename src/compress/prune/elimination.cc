#include "compress/prune/elimination.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pare::compress {
namespace {

constexpr double kDamping = 1e-6;      // of the mean of H's diagonal
constexpr double kLeastShrink = 1e-3;  // of what lies off the diagonal
constexpr double kTiny = 1e-30;

// What the outputs vary by: Wᵀ·E[xᵀx]·W, x less its mean.
double Variance(const SummingLayer& layer) {
  Moments around = layer.x.Centred();
  around.outputs = static_cast<int64_t>(layer.weights.size()) / around.columns;
  around.xy.assign(layer.weights.size(), 0);
  around.yy.clear();
  return std::max(around.Error(layer.weights), kTiny);
}

// One layer while its columns go.
class Surgeon {
 public:
  explicit Surgeon(const SummingLayer& layer)
      : columns_(layer.columns),
        n_(layer.x.columns),
        m_(static_cast<int64_t>(layer.weights.size()) / layer.x.columns),
        weights_(layer.weights),
        scale_(1 / Variance(layer)) {
    Matrix h = layer.bias ? layer.x.Centred().xx : layer.x.xx;
    const auto rows = static_cast<double>(std::max<int64_t>(1, layer.x.rows));
    double diagonal = 0;
    for (int64_t i = 0; i < n_; ++i) diagonal += h[i * n_ + i] / rows;
    const double damping = std::max(kDamping * diagonal / static_cast<double>(n_), kTiny);
    const double few = static_cast<double>(n_) / rows;
    const double shrink = std::clamp(few * few, kLeastShrink, 1.0);
    for (int64_t i = 0; i < n_; ++i) {
      const double own = h[i * n_ + i] / rows + damping;
      for (int64_t k = 0; k < n_; ++k) h[i * n_ + k] *= (1 - shrink) / rows;
      h[i * n_ + i] = own;
    }
    inverse_.assign(h.size(), 0);
    for (int64_t i = 0; i < n_; ++i) inverse_[i * n_ + i] = 1;
    usable_ = Cholesky(h, n_);
    if (usable_) SolveCholesky(h, n_, inverse_, n_);
  }

  double Loss(int64_t unit) const {
    if (!usable_ || columns_[unit].empty()) return 0;
    const auto& block = columns_[unit];
    if (block.size() == 1) {
      double sum = 0;
      for (int64_t j = 0; j < m_; ++j)
        sum += weights_[block[0] * m_ + j] * weights_[block[0] * m_ + j];
      return scale_ * sum / std::max(inverse_[block[0] * n_ + block[0]], kTiny);
    }
    const Matrix solved = SolveBlock(block, BlockOf(weights_, block, m_), m_);
    double sum = 0;
    for (size_t i = 0; i < block.size(); ++i) {
      for (int64_t j = 0; j < m_; ++j)
        sum += weights_[block[i] * m_ + j] * solved[static_cast<int64_t>(i) * m_ + j];
    }
    return scale_ * sum;
  }

  void Remove(int64_t unit) {
    const auto& block = columns_[unit];
    if (!usable_ || block.empty()) return;
    const Matrix p = BlockOf(inverse_, block, n_);
    Subtract(p, SolveBlock(block, BlockOf(weights_, block, m_), m_), weights_, m_);
    Subtract(p, SolveBlock(block, p, n_), inverse_, n_);
    for (int64_t i : block) {
      std::fill_n(weights_.begin() + i * m_, m_, 0);
      std::fill_n(inverse_.begin() + i * n_, n_, 0);
      for (int64_t k = 0; k < n_; ++k) inverse_[k * n_ + i] = 0;
    }
  }

  const Matrix& weights() const { return weights_; }

 private:
  static Matrix BlockOf(const Matrix& matrix, const std::vector<int64_t>& rows, int64_t width) {
    Matrix block;
    for (int64_t row : rows)
      block.insert(block.end(), matrix.begin() + row * width, matrix.begin() + (row + 1) * width);
    return block;
  }
  // (H⁻¹_BB)⁻¹·right.
  Matrix SolveBlock(const std::vector<int64_t>& block, Matrix right, int64_t width) const {
    const int64_t b = std::ssize(block);
    Matrix corner(static_cast<size_t>(b * b));
    for (int64_t i = 0; i < b; ++i) {
      for (int64_t k = 0; k < b; ++k) corner[i * b + k] = inverse_[block[i] * n_ + block[k]];
    }
    for (int64_t i = 0; i < b; ++i) corner[i * b + i] += kTiny;
    if (!Cholesky(corner, b)) return Matrix(right.size());
    SolveCholesky(corner, b, right, width);
    return right;
  }
  // to −= pᵀ·q.
  void Subtract(const Matrix& p, const Matrix& q, Matrix& to, int64_t width) const {
    for (int64_t k = 0; k < std::ssize(p) / n_; ++k) {
      for (int64_t i = 0; i < n_; ++i) {
        const double f = p[k * n_ + i];
        if (f == 0) continue;
        const double* from = q.data() + k * width;
        double* row = to.data() + i * width;
        for (int64_t j = 0; j < width; ++j) row[j] -= f * from[j];
      }
    }
  }

  const std::vector<std::vector<int64_t>>& columns_;
  int64_t n_, m_;
  Matrix weights_, inverse_;
  double scale_;
  bool usable_ = false;
};

}  // namespace

Elimination EliminateByContribution(const std::vector<SummingLayer>& layers, int64_t units,
                                    std::span<const int64_t> counts) {
  std::vector<double> contribution(static_cast<size_t>(units));
  for (const SummingLayer& layer : layers) {
    const int64_t n = layer.x.columns, m = static_cast<int64_t>(layer.weights.size()) / n;
    const double scale =
        1 / (Variance(layer) * static_cast<double>(std::max<int64_t>(1, layer.x.rows)));
    for (int64_t unit = 0; unit < units; ++unit) {
      for (int64_t i : layer.columns[unit]) {
        double squares = 0;
        for (int64_t j = 0; j < m; ++j)
          squares += layer.weights[i * m + j] * layer.weights[i * m + j];
        contribution[unit] += scale * layer.x.xx[i * n + i] * squares;
      }
    }
  }
  Elimination elimination{
      .order = std::vector<int64_t>(static_cast<size_t>(units)), .loss = {0}, .weights = {}};
  std::iota(elimination.order.begin(), elimination.order.end(), int64_t{0});
  std::ranges::stable_sort(elimination.order, {}, [&](int64_t unit) { return contribution[unit]; });
  for (int64_t unit : elimination.order)
    elimination.loss.push_back(elimination.loss.back() + contribution[unit]);
  for (int64_t count : counts) {
    auto& of_count = elimination.weights.emplace_back();
    for (const SummingLayer& layer : layers) {
      Matrix& weights = of_count.emplace_back(layer.weights);
      const int64_t m = static_cast<int64_t>(weights.size()) / layer.x.columns;
      for (int64_t gone = 0; gone < count; ++gone) {
        for (int64_t i : layer.columns[elimination.order[gone]])
          std::fill_n(weights.begin() + i * m, m, 0);
      }
    }
  }
  return elimination;
}

Elimination EliminateByLeastSquares(const std::vector<SummingLayer>& layers, int64_t units,
                                    int64_t gone, std::span<const int64_t> counts) {
  std::vector<Surgeon> surgeons;
  for (const SummingLayer& layer : layers) surgeons.emplace_back(layer);
  std::vector<bool> stays(static_cast<size_t>(units), true);
  Elimination elimination{.order = {}, .loss = {0}, .weights = {}};
  elimination.weights.resize(counts.size());
  while (std::ssize(elimination.order) < gone) {
    int64_t best = -1;
    double least = INFINITY;
    for (int64_t unit = 0; unit < units; ++unit) {
      if (!stays[unit]) continue;
      double loss = 0;
      for (const Surgeon& surgeon : surgeons) loss += surgeon.Loss(unit);
      if (best >= 0 && !(loss < least)) continue;
      best = unit;
      least = loss;
    }
    for (Surgeon& surgeon : surgeons) surgeon.Remove(best);
    stays[best] = false;
    elimination.order.push_back(best);
    elimination.loss.push_back(elimination.loss.back() + least);
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] != std::ssize(elimination.order)) continue;
      for (const Surgeon& surgeon : surgeons) elimination.weights[i].push_back(surgeon.weights());
    }
  }
  for (int64_t unit = 0; unit < units; ++unit) {
    if (!stays[unit]) continue;
    elimination.order.push_back(unit);
    elimination.loss.push_back(INFINITY);
  }
  return elimination;
}

std::vector<double> BiasShift(const SummingLayer& layer, const Matrix& weights) {
  const int64_t n = layer.x.columns, m = static_cast<int64_t>(weights.size()) / n;
  std::vector<double> shift(static_cast<size_t>(m));
  const auto rows = static_cast<double>(std::max<int64_t>(1, layer.x.rows));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < m; ++j)
      shift[j] += layer.x.x[i] / rows * (layer.weights[i * m + j] - weights[i * m + j]);
  }
  return shift;
}

}  // namespace pare::compress
