// The normal equations of ridge regression about given weights W₀: with R = y − x·W₀,
// (XᵀX + λI)·ΔW = XᵀR. With a bias, x and y are taken less their means, and b follows from these.
#include "compress/prune/least_squares.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace pare::compress {
namespace {

// Against the mean of the diagonal.
constexpr double kRidges[] = {10, 1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5};
constexpr double kCautiousRidge = 1e-2;
constexpr int64_t kPanel = 32;

// Rows [first, last) of U are done; takes their products off the rows behind them.
void UpdateTrailing(double* a, int64_t n, int64_t first, int64_t last) {
  for (int64_t i = last; i < n; ++i) {
    double* row = a + i * n;
    int64_t k = first;
    for (; k + 4 <= last; k += 4) {
      const double *u0 = a + k * n, *u1 = u0 + n, *u2 = u1 + n, *u3 = u2 + n;
      const double f0 = u0[i], f1 = u1[i], f2 = u2[i], f3 = u3[i];
      for (int64_t j = i; j < n; ++j) row[j] -= f0 * u0[j] + f1 * u1[j] + f2 * u2[j] + f3 * u3[j];
    }
    for (; k < last; ++k) {
      const double* u = a + k * n;
      const double f = u[i];
      for (int64_t j = i; j < n; ++j) row[j] -= f * u[j];
    }
  }
}

// Rows [first, last) of a become those of U.
bool FactorPanel(double* a, int64_t n, int64_t first, int64_t last) {
  for (int64_t k = first; k < last; ++k) {
    double* row = a + k * n;
    for (int64_t p = first; p < k; ++p) {
      const double* u = a + p * n;
      const double f = u[k];
      for (int64_t j = k; j < n; ++j) row[j] -= f * u[j];
    }
    if (!(row[k] > 0)) return false;
    const double inverse = 1 / std::sqrt(row[k]);
    for (int64_t j = k; j < n; ++j) row[j] *= inverse;
  }
  return true;
}

// XᵀR = Xᵀy − XᵀX·W₀.
Matrix Residual(const Moments& rows, std::span<const double> weights) {
  Matrix residual = rows.xy;
  const int64_t n = rows.columns, m = rows.outputs;
  for (int64_t i = 0; i < n; ++i) {
    double* to = residual.data() + i * m;
    for (int64_t k = 0; k < n; ++k) {
      const double f = rows.xx[i * n + k];
      const double* from = weights.data() + k * m;
      for (int64_t j = 0; j < m; ++j) to[j] -= f * from[j];
    }
  }
  return residual;
}

double MeanDiagonal(const Moments& rows) {
  double sum = 0;
  for (int64_t i = 0; i < rows.columns; ++i) sum += rows.xx[i * rows.columns + i];
  return sum / static_cast<double>(std::max<int64_t>(1, rows.columns));
}

// W₀ + ΔW; nothing where the equations can't be solved.
std::optional<Matrix> Solve(const Moments& rows, const Matrix& residual,
                            std::span<const double> weights, double ridge) {
  Matrix a = rows.xx;
  const double lambda = ridge * MeanDiagonal(rows);
  for (int64_t i = 0; i < rows.columns; ++i) a[i * rows.columns + i] += lambda;
  if (!Cholesky(a, rows.columns)) return std::nullopt;
  Matrix solved = residual;
  SolveCholesky(a, rows.columns, solved, rows.outputs);
  for (size_t i = 0; i < solved.size(); ++i) solved[i] += weights[i];
  return solved;
}

// From strong to weak; the error on `held` has one valley.
double ChooseRidge(const Moments& rows, const Moments& held, std::span<const double> weights) {
  const Matrix residual = Residual(rows, weights);
  double best = kRidges[0], least = INFINITY;
  for (double ridge : kRidges) {
    const auto solved = Solve(rows, residual, weights, ridge);
    if (!solved) break;
    const double error = held.Error(*solved);
    if (!(error < least)) break;
    least = error;
    best = ridge;
  }
  return best;
}

}  // namespace

Moments::Moments(int64_t x_size, int64_t y_size)
    : columns(x_size),
      outputs(y_size),
      xx(static_cast<size_t>(x_size * x_size)),
      xy(static_cast<size_t>(x_size * y_size)),
      x(static_cast<size_t>(x_size)),
      y(static_cast<size_t>(y_size)),
      yy(static_cast<size_t>(y_size)) {}

void Moments::Merge(const Moments& other) {
  const auto add = [](std::vector<double>& to, const std::vector<double>& from) {
    for (size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  rows += other.rows;
  add(xx, other.xx);
  add(xy, other.xy);
  add(x, other.x);
  add(y, other.y);
  add(yy, other.yy);
}

Moments Moments::Centred() const {
  Moments centred = *this;
  if (rows == 0) return centred;
  const auto count = static_cast<double>(rows);
  for (int64_t i = 0; i < columns; ++i) {
    const double mean = x[i] / count;
    for (int64_t k = 0; k < columns; ++k) centred.xx[i * columns + k] -= mean * x[k];
    for (int64_t j = 0; j < outputs; ++j) centred.xy[i * outputs + j] -= mean * y[j];
  }
  for (int64_t j = 0; j < outputs; ++j) centred.yy[j] -= y[j] * y[j] / count;
  std::ranges::fill(centred.x, 0);
  std::ranges::fill(centred.y, 0);
  return centred;
}

double Moments::Energy() const {
  double sum = 0;
  for (double value : yy) sum += value;
  return sum / static_cast<double>(std::max<int64_t>(1, rows));
}

// |y − xW|² = |y|² − 2·W·xᵀy + Wᵀ·xᵀx·W, summed.
double Moments::Error(std::span<const double> weights) const {
  double sum = 0;
  for (double value : yy) sum += value;
  std::vector<double> product(static_cast<size_t>(outputs));
  for (int64_t i = 0; i < columns; ++i) {
    std::ranges::fill(product, 0);
    for (int64_t k = 0; k < columns; ++k) {
      const double f = xx[i * columns + k];
      for (int64_t j = 0; j < outputs; ++j) product[j] += f * weights[k * outputs + j];
    }
    for (int64_t j = 0; j < outputs; ++j)
      sum += weights[i * outputs + j] * (product[j] - 2 * xy[i * outputs + j]);
  }
  return sum / static_cast<double>(std::max<int64_t>(1, rows));
}

bool Cholesky(std::span<double> a, int64_t n) {
  for (int64_t first = 0; first < n; first += kPanel) {
    const int64_t last = std::min(first + kPanel, n);
    if (!FactorPanel(a.data(), n, first, last)) return false;
    UpdateTrailing(a.data(), n, first, last);
  }
  return true;
}

void SolveCholesky(std::span<const double> u, int64_t n, std::span<double> b, int64_t m) {
  const auto subtract = [m](double* to, const double* from, double f) {
    for (int64_t j = 0; j < m; ++j) to[j] -= f * from[j];
  };
  const auto divide = [m](double* row, double by) {
    for (int64_t j = 0; j < m; ++j) row[j] /= by;
  };
  for (int64_t k = 0; k < n; ++k) {
    divide(b.data() + k * m, u[k * n + k]);
    for (int64_t i = k + 1; i < n; ++i) subtract(b.data() + i * m, b.data() + k * m, u[k * n + i]);
  }
  for (int64_t k = n; k-- > 0;) {
    for (int64_t i = k + 1; i < n; ++i) subtract(b.data() + k * m, b.data() + i * m, u[k * n + i]);
    divide(b.data() + k * m, u[k * n + k]);
  }
}

Fit FitNear(const Moments& rows, const Moments& held, std::span<const double> weights,
            FitBias bias) {
  const bool with_bias = bias == FitBias::kYes;
  Moments all = rows;
  all.Merge(held);
  Fit fit;
  fit.ridge = kCautiousRidge;
  if (held.rows > 0 && rows.rows > 0) {
    fit.ridge = with_bias ? ChooseRidge(rows.Centred(), held.Centred(), weights)
                          : ChooseRidge(rows, held, weights);
  }
  const Moments used = with_bias ? all.Centred() : all;
  const auto solved = Solve(used, Residual(used, weights), weights, fit.ridge);
  fit.weights = solved ? *solved : Matrix(weights.begin(), weights.end());
  if (!with_bias) return fit;
  fit.bias.resize(static_cast<size_t>(all.outputs));
  const auto count = static_cast<double>(std::max<int64_t>(1, all.rows));
  for (int64_t j = 0; j < all.outputs; ++j) {
    fit.bias[j] = all.y[j] / count;
    for (int64_t i = 0; i < all.columns; ++i)
      fit.bias[j] -= all.x[i] / count * fit.weights[i * all.outputs + j];
  }
  return fit;
}

}  // namespace pare::compress
