#include "compress/prune/least_squares.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace pare::compress {
namespace {

// aᵀ·a + I of random numbers.
Matrix Definite(int64_t n) {
  Random random(3);
  Matrix a(static_cast<size_t>(n * n)), product(a.size());
  for (double& value : a) value = random.Normal();
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      product[i * n + j] = i == j;
      for (int64_t k = 0; k < n; ++k) product[i * n + j] += a[k * n + i] * a[k * n + j];
    }
  }
  return product;
}

// y = x·W + b for random rows x.
Moments RowsOf(const Matrix& weights, double bias, int64_t columns, int64_t rows, uint64_t seed) {
  const int64_t outputs = std::ssize(weights) / columns;
  Moments moments(columns, outputs);
  Random random(seed);
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<double> x, y(static_cast<size_t>(outputs), bias);
    for (int64_t i = 0; i < columns; ++i) x.push_back(1 + random.Normal());
    for (int64_t i = 0; i < columns; ++i) {
      moments.x[i] += x[i];
      for (int64_t k = 0; k < columns; ++k) moments.xx[i * columns + k] += x[i] * x[k];
      for (int64_t j = 0; j < outputs; ++j) y[j] += x[i] * weights[i * outputs + j];
    }
    for (int64_t j = 0; j < outputs; ++j) {
      moments.y[j] += y[j];
      moments.yy[j] += y[j] * y[j];
      for (int64_t i = 0; i < columns; ++i) moments.xy[i * outputs + j] += x[i] * y[j];
    }
  }
  moments.rows = rows;
  return moments;
}

TEST(LeastSquares, CholeskySolvesWhatIsLargerThanAPanel) {
  constexpr int64_t kSize = 75;
  const Matrix a = Definite(kSize);
  Matrix u = a, x(kSize * 2);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 7) - 3;
  Matrix b(x.size());
  for (int64_t i = 0; i < kSize; ++i) {
    for (int64_t k = 0; k < kSize; ++k) {
      for (int64_t j = 0; j < 2; ++j) b[i * 2 + j] += a[i * kSize + k] * x[k * 2 + j];
    }
  }
  ASSERT_TRUE(Cholesky(u, kSize));
  SolveCholesky(u, kSize, b, 2);
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(b[i], x[i], 1e-9);
}

TEST(LeastSquares, CholeskyRefusesWhatIsNotDefinite) {
  Matrix a{1, 2, 2, 1};
  EXPECT_FALSE(Cholesky(a, 2));
}

TEST(LeastSquares, FindsTheWeightsAndTheBiasOfALinearMap) {
  const Matrix weights{1, -2, 0.5, 3, 0, 1};
  const Moments rows = RowsOf(weights, 0.75, 3, 200, 1), held = RowsOf(weights, 0.75, 3, 50, 2);
  const Matrix start(weights.size(), 0.0);
  const Fit fit = FitNear(rows, held, start, FitBias::kYes);
  for (size_t i = 0; i < weights.size(); ++i) EXPECT_NEAR(fit.weights[i], weights[i], 1e-3);
  for (double bias : fit.bias) EXPECT_NEAR(bias, 0.75, 1e-3);
  EXPECT_LE(fit.ridge, 1e-4);
  EXPECT_NEAR(rows.Centred().Error(weights), 0, 1e-9);
}

TEST(LeastSquares, StaysAtTheGivenWeightsWhereRowsAreTooFew) {
  const Matrix truth{1, 2, 3, 4, 5, 6, 7, 8};
  const Fit fit =
      FitNear(RowsOf(truth, 0, 8, 2, 1), RowsOf(truth, 0, 8, 40, 2), truth, FitBias::kYes);
  for (size_t i = 0; i < truth.size(); ++i) EXPECT_NEAR(fit.weights[i], truth[i], 1e-9);
}

}  // namespace
}  // namespace pare::compress
