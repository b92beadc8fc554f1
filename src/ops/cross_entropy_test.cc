#include <cmath>

#include "ops/testing.h"

namespace pare::ops {
namespace {

double At(const Tensor& t, int64_t i) { return double{t.as<float>()[i]}; }

TEST(SoftmaxCrossEntropy, IsTheFormulaHoweverLargeTheLogits) {
  const int64_t n = 19;
  for (const float reach : {3.0f, 1000.0f}) {
    const Tensor logits = RandomTensor({4, n}, 1, -reach, reach);
    const Tensor target = RandomTensor({4, n}, 2, 0, 0.1f);
    const auto loss = RunNode("pare.SoftmaxCrossEntropy", {logits, target});
    ASSERT_TRUE(loss) << loss.error().message();
    ASSERT_EQ((*loss)[0].shape(), (Dims{4}));
    for (int64_t row = 0; row < 4; ++row) {
      double max = -1e30, sum = 0, expected = 0;
      for (int64_t i = row * n; i < (row + 1) * n; ++i) max = std::max(max, At(logits, i));
      for (int64_t i = row * n; i < (row + 1) * n; ++i) sum += std::exp(At(logits, i) - max);
      for (int64_t i = row * n; i < (row + 1) * n; ++i)
        expected -= At(target, i) * (At(logits, i) - max - std::log(sum));
      EXPECT_NEAR(At((*loss)[0], row), expected, 1e-6 * std::max(1.0, std::abs(expected)));
    }
  }
}

TEST(SoftmaxCrossEntropy, RefusesWhatAreNoRows) {
  const Tensor rows = RandomTensor({2, 3}, 1);
  EXPECT_FALSE(RunNode("pare.SoftmaxCrossEntropy", {rows, RandomTensor({2, 1}, 2)}));
  const Tensor image = RandomTensor({2, 3, 4}, 1);
  EXPECT_FALSE(RunNode("pare.SoftmaxCrossEntropy", {image, image}));
  const Tensor nothing = Tensor::Zeros(DType::kF32, {2, 0}).value();
  EXPECT_FALSE(RunNode("pare.SoftmaxCrossEntropy", {nothing, nothing}));
}

}  // namespace
}  // namespace pare::ops
