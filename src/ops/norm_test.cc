#include <cmath>

#include "ops/testing.h"

namespace pare::ops {
namespace {

using graph::Attrs;

float At(const Tensor& t, int64_t i) { return t.as<float>()[i]; }

TEST(Norm, ChannelsLastIsThePlainFormTransposed) {
  const int64_t channels = 6;
  const Tensor scale = RandomTensor({channels}, 1), bias = RandomTensor({channels}, 2);
  const Tensor mean = RandomTensor({channels}, 3), variance = RandomTensor({channels}, 4, 0.1f, 2);
  struct Case {
    const char* op;
    Attrs attrs;
    std::vector<Tensor> rest;
  };
  const Case cases[] = {{"BatchNormalization", {}, {scale, bias, mean, variance}},
                        {"InstanceNormalization", {}, {scale, bias}},
                        {"GroupNormalization", {{"num_groups", int64_t{3}}}, {scale, bias}},
                        {"LRN", {{"size", int64_t{3}}, {"alpha", 0.5f}}, {}}};
  for (const Dims& shape : {Dims{2, channels, 5, 7}, Dims{1, channels, 30}}) {
    const Tensor x = RandomTensor(shape, 5, -1, 3);
    for (const Case& c : cases) {
      std::vector<Tensor> plain{x}, last{ChannelsLast(x)};
      plain.insert(plain.end(), c.rest.begin(), c.rest.end());
      last.insert(last.end(), c.rest.begin(), c.rest.end());
      Attrs attrs = c.attrs;
      attrs.set("channels_last", int64_t{1});
      const auto y = RunNode(c.op, plain, c.attrs), z = RunNode(c.op, last, attrs);
      ASSERT_TRUE(y && z) << c.op;
      ExpectNear(ChannelsFirst((*z)[0]), (*y)[0], 2e-5);
    }
  }
}

TEST(BatchNormalization, IsTheFormulaWithConstantsOrNot) {
  const Tensor x = RandomTensor({2, 3, 4}, 1), scale = RandomTensor({3}, 2);
  const Tensor bias = RandomTensor({3}, 3), mean = RandomTensor({3}, 4);
  const Tensor variance = RandomTensor({3}, 5, 0.5f, 2);
  for (const auto kind : {graph::ValueKind::kConstant, graph::ValueKind::kParameter}) {
    const auto y = RunNode("BatchNormalization", {x, scale, bias, mean, variance},
                           {{"epsilon", 0.1f}}, 1, kind);
    ASSERT_TRUE(y) << y.error().message();
    for (int i = 0; i < 24; ++i) {
      const int c = i / 4 % 3;
      const double expected =
          (At(x, i) - At(mean, c)) / std::sqrt(At(variance, c) + 0.1) * At(scale, c) + At(bias, c);
      EXPECT_NEAR(At((*y)[0], i), expected, 1e-5);
    }
  }
}

TEST(GroupNormalization, EveryGroupHasMeanZeroAndVarianceOne) {
  const Tensor x = RandomTensor({2, 6, 5}, 1, 4, 9);
  const Tensor ones = Tensor::Of<float>({6}, {1, 1, 1, 1, 1, 1});
  const Tensor zeros = Tensor::Zeros(DType::kF32, {6}).value();
  for (int64_t groups : {1, 2, 6}) {
    const auto y = RunNode("GroupNormalization", {x, ones, zeros}, {{"num_groups", groups}});
    ASSERT_TRUE(y) << y.error().message();
    const int64_t size = 30 / groups;
    for (int64_t g = 0; g < 2 * groups; ++g) {
      double sum = 0, squares = 0;
      for (int64_t i = 0; i < size; ++i) {
        sum += At((*y)[0], g * size + i);
        squares += double{At((*y)[0], g * size + i)} * At((*y)[0], g * size + i);
      }
      EXPECT_NEAR(sum / size, 0, 1e-4);
      EXPECT_NEAR(squares / size, 1, 1e-3);
    }
  }
}

TEST(LayerNormalization, RowsAndStatistics) {
  const Tensor x = RandomTensor({3, 2, 5}, 1), scale = RandomTensor({2, 5}, 2);
  const Tensor bias = RandomTensor({2, 5}, 3);
  const auto y = RunNode("LayerNormalization", {x, scale, bias}, {{"axis", int64_t{1}}}, 3);
  const auto rms = RunNode("RMSNormalization", {x, scale}, {{"axis", int64_t{1}}});
  ASSERT_TRUE(y && rms);
  EXPECT_EQ((*y)[1].shape(), (Dims{3, 1, 1}));
  for (int row = 0; row < 3; ++row) {
    double mean = 0, variance = 0, square = 0;
    for (int i = 0; i < 10; ++i) mean += At(x, row * 10 + i) / 10.0;
    for (int i = 0; i < 10; ++i) {
      const double v = At(x, row * 10 + i);
      variance += (v - mean) * (v - mean) / 10;
      square += v * v / 10;
    }
    for (int i = 0; i < 10; ++i) {
      const double v = At(x, row * 10 + i);
      EXPECT_NEAR(At((*y)[0], row * 10 + i),
                  (v - mean) / std::sqrt(variance + 1e-5) * At(scale, i) + At(bias, i), 1e-5);
      EXPECT_NEAR(At((*rms)[0], row * 10 + i), v / std::sqrt(square + 1e-5) * At(scale, i), 1e-5);
    }
    EXPECT_NEAR(At((*y)[1], row), mean, 1e-6);
    EXPECT_NEAR(At((*y)[2], row), 1 / std::sqrt(variance + 1e-5), 1e-4);
  }
}

TEST(LpNormalization, LinesHaveNormOne) {
  const auto y =
      RunNode("LpNormalization", {Tensor::Of<float>({2, 2}, {3, 0, 4, 0})}, {{"axis", int64_t{0}}});
  ASSERT_TRUE(y) << y.error().message();
  ExpectNear((*y)[0], Tensor::Of<float>({2, 2}, {0.6f, 0, 0.8f, 0}), 1e-6);
}

}  // namespace
}  // namespace pare::ops
