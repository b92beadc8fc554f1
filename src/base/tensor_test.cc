#include "base/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace pare {
namespace {

TEST(Half, EveryFiniteValueSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const Half half{static_cast<uint16_t>(bits)};
    const float value = ToFloat(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(ToFloat(ToHalf(value))));
    } else {
      ASSERT_EQ(ToHalf(value).bits, half.bits) << bits;
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(ToHalf(1.0f + 0x1p-11f).bits, 0x3c00);      // a tie, to even
  EXPECT_EQ(ToHalf(1.0f + 3 * 0x1p-11f).bits, 0x3c02);  // a tie, to even
  EXPECT_EQ(ToHalf(65519.0f).bits, 0x7bff);
  EXPECT_EQ(ToHalf(65520.0f).bits, 0x7c00);
  EXPECT_EQ(ToHalf(0x1p-25f).bits, 0);
  EXPECT_EQ(ToHalf(-0x1p-24f).bits, 0x8001);
}

TEST(Tensor, SizesThatOverflowAreErrors) {
  const int64_t huge = int64_t{1} << 40;
  EXPECT_FALSE(CountOf(Dims{huge, huge}));
  EXPECT_FALSE(CountOf(Dims{-1}));
  EXPECT_EQ(*CountOf(Dims{huge, 0, 1}), 0);
  EXPECT_FALSE(Tensor::Make(DType::kF64, {int64_t{1} << 61}));
}

TEST(Tensor, CastSaturatesAndTruncates) {
  const Tensor from = Tensor::Of<float>({5}, {1.9f, -1.9f, 1e20f, -1e20f, NAN});
  const Tensor i8 = *Cast(from, DType::kI8);
  const Tensor i64 = *Cast(from, DType::kI64);
  const int8_t expected8[] = {1, -1, 127, -128, 0};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(i8.as<int8_t>()[i], expected8[i]);
  EXPECT_EQ(i64.as<int64_t>()[2], std::numeric_limits<int64_t>::max());
  EXPECT_EQ(i64.as<int64_t>()[3], std::numeric_limits<int64_t>::min());
}

TEST(Tensor, NarrowTypesAreBytesInMemory) {
  const Tensor from = Tensor::Of<float>({4}, {1.9f, -9, 100, NAN});
  const Tensor i4 = *Cast(from, DType::kI4), u4 = *Cast(from, DType::kU4);
  const int expected_i4[] = {1, -8, 7, 0}, expected_u4[] = {1, 0, 15, 0};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(i4.as<int8_t>()[i], expected_i4[i]);
    EXPECT_EQ(u4.as<uint8_t>()[i], expected_u4[i]);
  }
  EXPECT_EQ(i4.bytes(), 4u);
  EXPECT_TRUE(IsNarrow(DType::kI4));
  EXPECT_FALSE(IsNarrow(DType::kI8));
  EXPECT_EQ(Cast(i4, DType::kF32)->as<float>()[1], -8);
}

TEST(Status, TheMessageNamesThePathAndTheWayOut) {
  const Error error =
      Error(ErrorKind::kInvalid, "48 channels", "inspect it").at("node a (Conv)").at("m.onnx");
  EXPECT_EQ(error.message(), "m.onnx: node a (Conv): 48 channels\n      inspect it");
}

}  // namespace
}  // namespace pare
