#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Ints;

Tensor Swapped(const Tensor& x) { return Permuted(x, {0, 2, 1, 3}); }

// The operator is what Softmax and two products give, in every arrangement of its operands.
TEST(Attention, IsSoftmaxBetweenProducts) {
  const int64_t b = 2, h = 3, t = 5, keys = 7, d = 8;
  const Tensor q = RandomTensor({b, h, t, d}, 1), k = RandomTensor({b, h, keys, d}, 2);
  const Tensor v = RandomTensor({b, h, keys, d}, 3);
  for (const Dims& mask_shape : {Dims{}, Dims{b, 1, 1, keys}, Dims{t, keys}, Dims{1, h, t, keys}}) {
    Tensor scores = (*RunNode("MatMul", {q, Permuted(k, {0, 1, 3, 2})}))[0];
    for (float& s : scores.mutable_as<float>()) s *= 0.35f;
    const Tensor mask = mask_shape.empty() ? Tensor() : RandomTensor(mask_shape, 4, -3, 3);
    if (mask) {
      const auto masked = RunNode("Add", {scores, mask});
      ASSERT_TRUE(masked);
      scores = (*masked)[0];
    }
    const auto weights = RunNode("Softmax", {scores});
    const auto expected = RunNode("MatMul", {(*weights)[0], v});
    ASSERT_TRUE(expected);
    for (int64_t form = 0; form < 16; ++form) {
      const Ints first{form & 1, form >> 1 & 1, form >> 2 & 1, form >> 3 & 1};
      const auto y = RunNode(
          "pare.Attention",
          {first[0] ? Swapped(q) : q, first[1] ? Swapped(k) : k, first[2] ? Swapped(v) : v, mask},
          {{"scale", 0.35f}, {"positions_first", first}});
      ASSERT_TRUE(y) << y.error().message();
      ExpectNear(first[3] ? Swapped((*y)[0]) : (*y)[0], (*expected)[0], 1e-5);
    }
  }
}

}  // namespace
}  // namespace pare::ops
