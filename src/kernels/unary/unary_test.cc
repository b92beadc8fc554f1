#include "kernels/unary/unary.h"

#include <bit>
#include <limits>

#include "base/dtype.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

struct Function {
  UnaryFunction function;
  const char* name;
  float lo, hi;     // where its argument lies
  float a, b;       // parameters
  double relative;  // error beside 1e-7, the results being as exact as that at most
};

const Function kFunctions[] = {
    {UnaryFunction::kAbs, "Abs", -9, 9, 0, 0, 0},
    {UnaryFunction::kCeil, "Ceil", -9, 9, 0, 0, 0},
    {UnaryFunction::kCelu, "Celu", -9, 9, 1.5f, 0, 3e-7},
    {UnaryFunction::kClip, "Clip", -9, 9, -2, 3, 0},
    {UnaryFunction::kElu, "Elu", -9, 9, 0.5f, 0, 3e-7},
    {UnaryFunction::kErf, "Erf", -5, 5, 0, 0, 3e-7},
    {UnaryFunction::kExp, "Exp", -80, 80, 0, 0, 3e-7},
    {UnaryFunction::kFloor, "Floor", -9, 9, 0, 0, 0},
    {UnaryFunction::kGelu, "Gelu", -6, 6, 0, 0, 5e-7},
    {UnaryFunction::kGeluTanh, "GeluTanh", -6, 6, 0, 0, 5e-7},
    {UnaryFunction::kHardSigmoid, "HardSigmoid", -9, 9, 0.2f, 0.5f, 3e-7},
    {UnaryFunction::kHardSwish, "HardSwish", -9, 9, 0, 0, 3e-7},
    {UnaryFunction::kLeakyRelu, "LeakyRelu", -9, 9, 0.1f, 0, 1e-7},
    {UnaryFunction::kLog, "Log", 1e-30f, 50, 0, 0, 3e-7},
    {UnaryFunction::kMish, "Mish", -9, 30, 0, 0, 7e-7},
    {UnaryFunction::kNeg, "Neg", -9, 9, 0, 0, 0},
    {UnaryFunction::kReciprocal, "Reciprocal", -9, 9, 0, 0, 1e-7},
    {UnaryFunction::kRelu, "Relu", -9, 9, 0, 0, 0},
    {UnaryFunction::kRound, "Round", -9, 9, 0, 0, 0},
    {UnaryFunction::kSelu, "Selu", -9, 9, 1.67f, 1.05f, 3e-7},
    {UnaryFunction::kShrink, "Shrink", -9, 9, 0.25f, 1.5f, 1e-7},
    {UnaryFunction::kSigmoid, "Sigmoid", -30, 30, 0, 0, 4e-7},
    {UnaryFunction::kSign, "Sign", -9, 9, 0, 0, 0},
    {UnaryFunction::kSilu, "Silu", -30, 30, 0, 0, 4e-7},
    {UnaryFunction::kSoftplus, "Softplus", -30, 30, 0, 0, 4e-7},
    {UnaryFunction::kSoftsign, "Softsign", -9, 9, 0, 0, 2e-7},
    {UnaryFunction::kSqrt, "Sqrt", 0, 50, 0, 0, 1e-7},
    {UnaryFunction::kSwish, "Swish", -9, 9, 1.5f, 0, 4e-7},
    {UnaryFunction::kTanh, "Tanh", -9, 9, 0, 0, 4e-7},
    {UnaryFunction::kThresholdedRelu, "ThresholdedRelu", -9, 9, 1, 0, 0},
};

constexpr UnaryFunction kWithoutLoop[] = {
#define PARE_UNARY(...)
#define PARE_UNARY_SLOW(name, ...) UnaryFunction::k##name,
#include "kernels/unary/functions.inc"
#undef PARE_UNARY
#undef PARE_UNARY_SLOW
};

const Row<UnaryKernel>& Portable() { return *(UnaryRows().end() - 1); }

void RunRow(const Row<UnaryKernel>& row, const Function& f, const Buffer<float>& x,
            Buffer<float>& y) {
  row->find(f.function)({x.data(), y.data(), x.size(), f.a, f.b});
  EXPECT_TRUE(y.guards_hold());
}

TEST(Unary, EveryFunctionIsTested) {
  EXPECT_EQ(std::size(kFunctions) + std::size(kWithoutLoop),
            static_cast<size_t>(UnaryFunction::kCount));
}

TEST(Unary, LoopsAreNearTheMeaning) {
  for (const Function& f : kFunctions) {
    SCOPED_TRACE(f.name);
    Buffer<float> x(20001), y(x.size());
    for (int64_t i = 0; i < x.size(); ++i) {
      x[i] = f.lo + (f.hi - f.lo) * static_cast<float>(i) / static_cast<float>(x.size() - 1);
    }
    RunRow(Portable(), f, x, y);
    for (int64_t i = 0; i < x.size(); ++i) {
      const double want = UnaryMeaning(f.function, x[i], f.a, f.b);
      ASSERT_TRUE(y[i] == want || std::fabs(y[i] - want) <= 1e-7 + f.relative * std::fabs(want))
          << "of " << x[i] << ": " << y[i] << " instead of " << want;
    }
  }
}

TEST(Unary, RowsAgreeToTheBit) {
  ForEachRow(UnaryRows(), [&](const Row<UnaryKernel>& row) {
    Random random(5);
    for (const Function& f : kFunctions) {
      SCOPED_TRACE(f.name);
      for (int64_t count : {0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 200}) {
        for (int64_t offset : {0, 1, 3}) {
          Buffer<float> x(count, offset), y(count, offset), expected(count);
          random.fill(x, f.lo, f.hi);
          RunRow(Portable(), f, x, expected);
          RunRow(row, f, x, y);
          for (int64_t i = 0; i < count; ++i) {
            ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(expected[i]))
                << "of " << x[i] << ": " << y[i] << " instead of " << expected[i];
          }
          RunRow(row, f, x, x);  // in place
          for (int64_t i = 0; i < count; ++i) ASSERT_EQ(x[i], y[i]);
        }
      }
    }
  });
}

TEST(Unary, SpecialValuesHaveTheirMeaning) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float special[] = {0.0f,     -0.0f,   infinity, -infinity, std::nanf(""),
                           1e-30f,   -1e-30f, 88.0f,    -100.0f,   1000.0f,
                           -1000.0f, 0.5f,    -0.5f,    1.5f,      2.5f};
  ForEachRow(UnaryRows(), [&](const Row<UnaryKernel>& row) {
    for (const Function& f : kFunctions) {
      Buffer<float> x(std::size(special)), y(x.size());
      std::copy(std::begin(special), std::end(special), x.data());
      RunRow(row, f, x, y);
      for (int64_t i = 0; i < x.size(); ++i) {
        const auto want = static_cast<float>(UnaryMeaning(f.function, x[i], f.a, f.b));
        // Limits at infinity that are no number in double (0 · ∞) are the finite function's.
        if (std::isnan(want) && !std::isnan(x[i]) && std::isinf(x[i])) continue;
        const bool good = std::isnan(want) ? std::isnan(y[i])
                          : std::isinf(want)
                              ? y[i] == want
                              : std::fabs(y[i] - want) <= 1e-6 + 1e-6 * std::fabs(want);
        EXPECT_TRUE(good) << f.name << " of " << x[i] << ": " << y[i] << " instead of " << want;
      }
    }
  });
}

TEST(Unary, OtherTypes) {
  const Cpu cpu;
  const double x64[] = {-1, 0.25, 3};
  double y64[3];
  FindUnary(cpu, UnaryFunction::kTanh, DType::kF64).run({x64, y64, 3});
  EXPECT_EQ(y64[1], std::tanh(0.25));
  const Half x16[] = {ToHalf(-2), ToHalf(0.5f)};
  Half y16[2];
  FindUnary(cpu, UnaryFunction::kRelu, DType::kF16).run({x16, y16, 2});
  EXPECT_EQ(ToFloat(y16[0]), 0);
  EXPECT_EQ(ToFloat(y16[1]), 0.5f);
  const int64_t i64[] = {INT64_MIN, -3, 4};
  int64_t out[3];
  FindUnary(cpu, UnaryFunction::kAbs, DType::kI64).run({i64, out, 3});
  EXPECT_EQ(out[0], INT64_MIN);
  EXPECT_EQ(out[1], 3);
  EXPECT_EQ(FindUnary(cpu, UnaryFunction::kExp, DType::kI64).run, nullptr);
  EXPECT_EQ(FindUnary(cpu, UnaryFunction::kNeg, DType::kBool).run, nullptr);
  for (UnaryFunction function : kWithoutLoop) {
    const float x = 0.25f;
    float y = 0;
    FindUnary(cpu, function, DType::kF32).run({&x, &y, 1});
    const auto want = static_cast<float>(UnaryMeaning(function, 0.25, 0, 0));
    EXPECT_TRUE(y == want || (std::isnan(y) && std::isnan(want)));
  }
}

}  // namespace
}  // namespace pare::kernels
