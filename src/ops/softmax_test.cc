#include <cmath>

#include "ops/testing.h"

namespace pare::ops {
namespace {

TEST(Softmax, AnyAxis) {
  const Tensor x = RandomTensor({3, 4, 5}, 1);
  for (int64_t axis : {-3, -2, -1, 0, 1, 2}) {
    const auto y = RunNode("Softmax", {x}, {{"axis", axis}});
    const auto log = RunNode("LogSoftmax", {x}, {{"axis", axis}});
    const auto hard = RunNode("Hardmax", {x}, {{"axis", axis}});
    ASSERT_TRUE(y && log && hard);
    const int64_t a = axis < 0 ? axis + 3 : axis, n = x.shape()[a];
    const int64_t inner = a == 2 ? 1 : a == 1 ? 5 : 20;
    for (int64_t i = 0; i < 60; ++i) {
      const int64_t first = i - i / inner % n * inner;
      double sum = 0;
      float max = -1e9f;
      for (int64_t j = 0; j < n; ++j) {
        sum += std::exp(double{x.as<float>()[first + j * inner]});
        max = std::max(max, x.as<float>()[first + j * inner]);
      }
      const double p = std::exp(double{x.as<float>()[i]}) / sum;
      EXPECT_NEAR((*y)[0].as<float>()[i], p, 1e-6);
      EXPECT_NEAR((*log)[0].as<float>()[i], std::log(p), 1e-5);
      EXPECT_EQ((*hard)[0].as<float>()[i], x.as<float>()[i] == max ? 1.0f : 0.0f);
    }
  }
  EXPECT_FALSE(RunNode("Softmax", {x}, {{"axis", int64_t{3}}}));
}

}  // namespace
}  // namespace pare::ops
