// Linear least squares from sums over rows: y ≈ x·W + b.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pare::compress {

using Matrix = std::vector<double>;  // row by row

// Sums over rows (x, y): all that a fit needs.
struct Moments {
  Moments() = default;
  Moments(int64_t x_size, int64_t y_size);

  int64_t columns = 0, outputs = 0;
  int64_t rows = 0;
  Matrix xx, xy;                 // Σ xᵀx, Σ xᵀy
  std::vector<double> x, y, yy;  // Σ x, Σ y, Σ y² by element

  void Merge(const Moments& other);
  // Of x and y less their means; with a bias these are what counts.
  Moments Centred() const;
  // Mean over the rows of |y − x·W|².
  double Error(std::span<const double> weights) const;
  double Energy() const;  // mean over the rows of |y|²
};

// The upper factor U of a symmetric positive definite matrix, a = Uᵀ·U; false where it is not
// (numerically) definite. In place, what lies below the diagonal is not touched.
bool Cholesky(std::span<double> a, int64_t n);
// Solves Uᵀ·U·x = b for [n, m] right-hand sides, in place.
void SolveCholesky(std::span<const double> u, int64_t n, std::span<double> b, int64_t m);

struct Fit {
  Matrix weights;            // [columns, outputs]
  std::vector<double> bias;  // empty where none was asked for
  double ridge = 0;          // that was chosen, against the mean of the diagonal of Σ xᵀx
};

enum class FitBias : uint8_t { kNo, kYes };
// The weights with the least Σ |y − x·W − b|² + λ·|W − W₀|²: near those that there are, as far as
// the rows leave it open. λ is the one with the least error on `held`, which are other rows, of a
// few magnitudes; where that has none, a cautious one.
Fit FitNear(const Moments& rows, const Moments& held, std::span<const double> weights,
            FitBias bias);

}  // namespace pare::compress
