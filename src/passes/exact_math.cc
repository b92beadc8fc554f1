#include "passes/exact_math.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace pare::passes {

// e^x = 2^n · e^r with |r| ≤ ln2 / 2, and e^r by its series. floor, ldexp, frexp are exact.
double ExactExp(double x) {
  if (std::isnan(x)) return x;
  if (x > 709) return std::numeric_limits<double>::infinity();
  if (x < -740) return 0;
  constexpr double kLn2High = 6.93147180369123816490e-01, kLn2Low = 1.90821492927058770002e-10;
  const double n = std::floor(x * std::numbers::log2e + 0.5);
  const double r = (x - n * kLn2High) - n * kLn2Low;
  double sum = 1;
  for (int i = 16; i >= 1; --i) sum = 1 + sum * r / i;
  return std::ldexp(sum, static_cast<int>(n));
}

// ln(m · 2^e) = e · ln2 + 2 · atanh((m − 1) / (m + 1)), m near 1.
double ExactLog(double x) {
  if (!(x >= 0)) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return -std::numeric_limits<double>::infinity();
  if (std::isinf(x)) return x;
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < std::numbers::sqrt2 / 2) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int i = 31; i >= 1; i -= 2) sum = sum * square + 1.0 / i;
  return exponent * std::numbers::ln2 + 2 * s * sum;
}

// erf x = 2/√π · e^(−x²) · Σ 2^n x^(2n+1) / (1·3·5⋯(2n+1)): no term cancels another.
double ExactErf(double x) {
  if (std::isnan(x)) return x;
  if (x > 6) return 1;
  if (x < -6) return -1;
  double term = x, sum = x;
  for (int n = 1; n < 300; ++n) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 * std::numbers::inv_sqrtpi * ExactExp(-x * x) * sum;
}

double ExactTanh(double x) { return 1 - 2 / (ExactExp(2 * x) + 1); }

double ExactSigmoid(double x) { return 1 / (1 + ExactExp(-x)); }

double ExactPow(double x, double exponent) {
  const bool whole = exponent == std::floor(exponent) && std::abs(exponent) <= 64;
  if (!whole) return x == 0 && exponent > 0 ? 0 : ExactExp(exponent * ExactLog(x));
  double power = 1;
  for (int i = 0; i < std::abs(exponent); ++i) power *= x;
  return exponent < 0 ? 1 / power : power;
}

namespace {

// sin(r + quarters · π/2) by its series, |r| ≤ π/4.
double SinOfQuarters(double r, int64_t quarters) {
  const bool cosine = quarters & 1;
  double sum = 1;  // of the series after its first term, divided by it
  for (int n = cosine ? 22 : 23; n > 1; n -= 2) sum = 1 - sum * r * r / (n * (n - 1));
  const double value = cosine ? sum : r * sum;
  return quarters & 2 ? -value : value;
}

double SinFrom(double x, int64_t first_quarter) {
  if (!(std::abs(x) < 1e15)) return std::numeric_limits<double>::quiet_NaN();
  constexpr double kHigh = 1.57079632673412561417, kLow = 6.07710050650619224932e-11;  // π/2
  const double n = std::floor(x / (kHigh + kLow) + 0.5);
  return SinOfQuarters((x - n * kHigh) - n * kLow, static_cast<int64_t>(n) + first_quarter);
}

}  // namespace

double ExactSin(double x) { return SinFrom(x, 0); }

double ExactCos(double x) { return SinFrom(x, 1); }

// atan x = 2 · atan(x / (1 + √(1 + x²))), twice, then the series. sqrt is exact.
double ExactAtan(double x) {
  if (std::abs(x) > 1) return std::copysign(std::numbers::pi / 2, x) - ExactAtan(1 / x);
  const auto half = [](double t) { return t / (1 + std::sqrt(1 + t * t)); };
  const double t = half(half(x)), square = t * t;
  double sum = 0;
  for (int i = 31; i >= 1; i -= 2) sum = 1.0 / i - sum * square;
  return 4 * t * sum;
}

}  // namespace pare::passes
