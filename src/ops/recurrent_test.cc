#include <cmath>

#include "ops/testing.h"

namespace pare::ops {
namespace {

constexpr int64_t kSteps = 4, kBatch = 2, kInputs = 3, kHidden = 5;

Tensor Slice(const Tensor& t, int64_t first, int64_t count, Dims shape) {
  return Tensor::Of<float>(std::move(shape), t.as<float>().subspan(first, count));
}

TEST(Lstm, IsTheRecurrence) {
  const int64_t width = 4 * kHidden;
  const Tensor x = RandomTensor({kSteps, kBatch, kInputs}, 1),
               w = RandomTensor({1, width, kInputs}, 2);
  const Tensor r = RandomTensor({1, width, kHidden}, 3), b = RandomTensor({1, 2 * width}, 4);
  const auto y = RunNode("LSTM", {x, w, r, b}, {{"hidden_size", kHidden}}, 3);
  ASSERT_TRUE(y) << y.error().message();
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  for (int64_t item = 0; item < kBatch; ++item) {
    std::vector<double> h(kHidden), c(kHidden);
    for (int64_t t = 0; t < kSteps; ++t) {
      std::vector<double> gates(width);
      for (int64_t g = 0; g < width; ++g) {
        gates[g] = double{b.as<float>()[g]} + b.as<float>()[width + g];
        for (int64_t i = 0; i < kInputs; ++i) {
          gates[g] += double{x.as<float>()[(t * kBatch + item) * kInputs + i]} *
                      w.as<float>()[g * kInputs + i];
        }
        for (int64_t i = 0; i < kHidden; ++i) gates[g] += h[i] * r.as<float>()[g * kHidden + i];
      }
      for (int64_t i = 0; i < kHidden; ++i) {
        c[i] = sigmoid(gates[2 * kHidden + i]) * c[i] +
               sigmoid(gates[i]) * std::tanh(gates[3 * kHidden + i]);
        h[i] = sigmoid(gates[kHidden + i]) * std::tanh(c[i]);
        ASSERT_NEAR((*y)[0].as<float>()[(t * kBatch + item) * kHidden + i], h[i], 1e-5);
      }
    }
    for (int64_t i = 0; i < kHidden; ++i) {
      EXPECT_NEAR((*y)[1].as<float>()[item * kHidden + i], h[i], 1e-5);
      EXPECT_NEAR((*y)[2].as<float>()[item * kHidden + i], c[i], 1e-5);
    }
  }
}

// Full lengths say nothing new, two directions are two layers, and a length beyond x is a fault.
TEST(Recurrent, LengthsAndDirections) {
  const std::pair<const char*, int64_t> ops[] = {{"LSTM", 4}, {"GRU", 3}, {"RNN", 1}};
  for (const auto& [op, gates] : ops) {
    SCOPED_TRACE(op);
    const int64_t width = gates * kHidden;
    const Tensor x = RandomTensor({kSteps, kBatch, kInputs}, 1),
                 w = RandomTensor({2, width, kInputs}, 2);
    const Tensor r = RandomTensor({2, width, kHidden}, 3), b = RandomTensor({2, 2 * width}, 4);
    const auto run = [&](const char* direction, int64_t first, int64_t count, Tensor lengths) {
      return RunNode(
          op,
          {x, Slice(w, first * width * kInputs, count * width * kInputs, {count, width, kInputs}),
           Slice(r, first * width * kHidden, count * width * kHidden, {count, width, kHidden}),
           Slice(b, first * 2 * width, count * 2 * width, {count, 2 * width}), lengths},
          {{"hidden_size", kHidden}, {"direction", direction}}, 2);
    };
    const auto both = run("bidirectional", 0, 2, {}), forward = run("forward", 0, 1, {});
    const auto reverse = run("reverse", 1, 1, Tensor::Of<int32_t>({2}, {kSteps, kSteps}));
    ASSERT_TRUE(both && forward && reverse);
    for (int64_t t = 0; t < kSteps; ++t) {
      for (int64_t i = 0; i < kBatch * kHidden; ++i) {
        const float* y = (*both)[0].as<float>().data() + t * 2 * kBatch * kHidden + i;
        EXPECT_NEAR(y[0], (*forward)[0].as<float>()[t * kBatch * kHidden + i], 1e-6);
        EXPECT_NEAR(y[kBatch * kHidden], (*reverse)[0].as<float>()[t * kBatch * kHidden + i], 1e-6);
      }
    }
    const auto broken = run("forward", 0, 1, Tensor::Of<int32_t>({2}, {kSteps, kSteps + 1}));
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().reason().find("sequence_lens"), std::string::npos);
  }
}

}  // namespace
}  // namespace pare::ops
