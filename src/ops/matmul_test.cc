#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Attrs;

float At(const Tensor& t, int64_t i) { return t.as<float>()[i]; }

TEST(MatMul, ShapesFollowNumPy) {
  struct Case {
    Dims a, b, y;
  };
  const Case cases[] = {{{3, 4}, {4, 5}, {3, 5}},
                        {{4}, {4, 5}, {5}},
                        {{3, 4}, {4}, {3}},
                        {{4}, {4}, {}},
                        {{2, 3, 4}, {4, 5}, {2, 3, 5}},
                        {{2, 1, 3, 4}, {6, 4, 5}, {2, 6, 3, 5}},
                        {{3, 4}, {2, 4, 5}, {2, 3, 5}},
                        {{0, 4}, {4, 5}, {0, 5}}};
  for (const Case& c : cases) {
    const auto y = RunNode("MatMul", {RandomTensor(c.a, 1), RandomTensor(c.b, 2)});
    ASSERT_TRUE(y) << y.error().message();
    EXPECT_EQ((*y)[0].shape(), c.y);
  }
}

void CheckBatches(graph::ValueKind kind) {
  const Tensor a = RandomTensor({2, 1, 3, 4}, 1), b = RandomTensor({6, 4, 5}, 2);
  const auto y = RunNode("MatMul", {a, b}, {}, 1, kind);
  ASSERT_TRUE(y) << y.error().message();
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 6; ++j)
      for (int m = 0; m < 3; ++m)
        for (int n = 0; n < 5; ++n) {
          double sum = 0;
          for (int k = 0; k < 4; ++k)
            sum += At(a, (i * 3 + m) * 4 + k) * At(b, (j * 4 + k) * 5 + n);
          ASSERT_NEAR(At((*y)[0], ((i * 6 + j) * 3 + m) * 5 + n), sum, 1e-5);
        }
}

TEST(MatMul, BatchesBroadcast) {
  CheckBatches(graph::ValueKind::kConstant);
  CheckBatches(graph::ValueKind::kParameter);  // b is packed by a step
}

TEST(MatMul, FusedFormAddsBiasAndResidualThenActivates) {
  const Tensor a = RandomTensor({2, 3, 4}, 1), b = RandomTensor({4, 5}, 2);
  const Tensor bias = RandomTensor({5}, 3), residual = RandomTensor({2, 3, 5}, 4);
  const auto plain = RunNode("MatMul", {a, b});
  const auto fused = RunNode("pare.MatMul", {a, b, bias, residual},
                             {{"activation", "clamp"}, {"activation_lo", 0.0f}});
  ASSERT_TRUE(plain && fused);
  for (int i = 0; i < 30; ++i) {
    const float y = At((*plain)[0], i) + At(bias, i % 5) + At(residual, i);
    EXPECT_NEAR(At((*fused)[0], i), std::max(y, 0.0f), 1e-5);
  }
}

TEST(Gemm, AllTranspositionsAndForms) {
  const int64_t m = 3, n = 5, k = 4;
  const Dims shapes_of_c[] = {{}, {1}, {n}, {1, n}, {m, 1}, {m, n}};
  for (int form = 0; form < 16; ++form) {
    const bool ta = form & 1, tb = form & 2, scaled = form & 4, with_residual = form & 8;
    const Tensor a = RandomTensor(ta ? Dims{k, m} : Dims{m, k}, 1);
    const Tensor b = RandomTensor(tb ? Dims{n, k} : Dims{k, n}, 2);
    const float alpha = scaled ? 0.5f : 1.0f, beta = scaled ? 2.0f : 1.0f;
    const Attrs attrs{
        {"transA", int64_t{ta}}, {"transB", int64_t{tb}}, {"alpha", alpha}, {"beta", beta}};
    for (const Dims& shape : shapes_of_c) {
      const Tensor c = RandomTensor(shape, 3), residual = RandomTensor({m, n}, 4);
      std::vector<Tensor> inputs{a, b, c};
      if (with_residual) inputs.push_back(residual);
      const auto kind = form & 1 ? graph::ValueKind::kParameter : graph::ValueKind::kConstant;
      const auto y = RunNode("Gemm", inputs, attrs, 1, kind);
      ASSERT_TRUE(y) << y.error().message();
      for (int i = 0; i < m; ++i)
        for (int j = 0; j < n; ++j) {
          double sum = 0;
          for (int l = 0; l < k; ++l)
            sum += At(a, ta ? l * m + i : i * k + l) * At(b, tb ? j * k + l : l * n + j);
          const bool row = shape.size() == 2 && shape[0] == m,
                     all = !shape.empty() && shape.back() == n;
          const float add = At(c, (row ? i * shape[1] : 0) + (all ? j : 0));
          const float rest = with_residual ? At(residual, i * n + j) : 0.0f;
          ASSERT_NEAR(At((*y)[0], i * n + j), alpha * sum + beta * add + rest, 1e-5)
              << form << DimsText(shape);
        }
    }
  }
}

TEST(MatMul, RareTypes) {
  const auto y = RunNode(
      "MatMul", {Tensor::Of<int32_t>({1, 2}, {3, -4}), Tensor::Of<int32_t>({2, 1}, {5, 6})});
  ASSERT_TRUE(y) << y.error().message();
  EXPECT_EQ((*y)[0].as<int32_t>()[0], -9);
}

}  // namespace
}  // namespace pare::ops
