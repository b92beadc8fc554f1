#include <cmath>
#include <functional>

#include "ops/testing.h"

namespace pare::ops {
namespace {

// Values close to 1, so that a product of thousands stays finite and one missing is seen.
Tensor NearOne(const Dims& shape) {
  Tensor x = RandomTensor(shape, 1);
  for (float& value : x.mutable_as<float>()) value = 1.0f + 0.001f * std::tanh(value);
  return x;
}

struct Function {
  const char* op;
  double begin;
  std::function<double(double, double)> combine;
  std::function<double(double, double)> finish;  // of the result and the number of elements
  double tolerance = 3e-6;                       // relative
};

const Function kFunctions[] = {
    {"ReduceSum", 0, std::plus<double>(), [](double y, double) { return y; }},
    {"ReduceMean", 0, std::plus<double>(), [](double y, double n) { return y / n; }},
    {"ReduceL1", 0, std::plus<double>(), [](double y, double) { return y; }},
    {"ReduceL2", 0, [](double y, double x) { return y + x * x; },
     [](double y, double) { return std::sqrt(y); }},
    {"ReduceSumSquare", 0, [](double y, double x) { return y + x * x; },
     [](double y, double) { return y; }},
    {"ReduceLogSum", 0, std::plus<double>(), [](double y, double) { return std::log(y); }},
    {"ReduceLogSumExp", 0, [](double y, double x) { return y + std::exp(x); },
     [](double y, double) { return std::log(y); }},
    {"ReduceMax", -1e30, [](double y, double x) { return std::max(y, x); },
     [](double y, double) { return y; }},
    {"ReduceMin", 1e30, [](double y, double x) { return std::min(y, x); },
     [](double y, double) { return y; }},
    {"ReduceProd", 1, std::multiplies<double>(), [](double y, double) { return y; }, 1e-4},
};

// Long reductions to few outputs are cut into parts.
TEST(Reduce, LongOnesAreWhatOneLoopGives) {
  struct Case {
    Dims shape;  // [outer, kept, inner]
    std::vector<int64_t> axes;
  };
  const Case cases[] = {{{4096, 24, 1}, {0, 2}},
                        {{1, 5, 40000}, {0, 2}},
                        {{6, 3, 9001}, {0, 2}},
                        {{90, 1, 1000}, {0, 1, 2}},
                        {{32771, 7, 1}, {0}}};
  for (const Case& c : cases) {
    const Tensor x = NearOne(c.shape);
    const Tensor axes = Tensor::Of<int64_t>({std::ssize(c.axes)}, c.axes);
    const int64_t outer = c.shape[0], kept = c.shape[1], inner = c.shape[2];
    for (const Function& f : kFunctions) {
      SCOPED_TRACE(testing::Message() << f.op << " of " << DimsText(c.shape));
      const Tensor y = RunNodeOrFail(f.op, {x, axes});
      ASSERT_EQ(y.count(), kept);
      for (int64_t k = 0; k < kept; ++k) {
        double expected = f.begin;
        for (int64_t o = 0; o < outer; ++o) {
          for (int64_t i = 0; i < inner; ++i)
            expected = f.combine(expected, x.as<float>()[(o * kept + k) * inner + i]);
        }
        expected = f.finish(expected, static_cast<double>(outer * inner));
        EXPECT_NEAR(y.as<float>()[k], expected, f.tolerance * std::abs(expected)) << "output " << k;
      }
    }
  }
}

}  // namespace
}  // namespace pare::ops
