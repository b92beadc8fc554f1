#include "kernels/qsaturating/qsaturating.h"

#include "kernels/qconv/testing.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

const Row<QConvKernel>& Reference() { return QSaturatingRows().end()[-1]; }
const Row<QConvKernel>& ExactReference() { return QConvRows().end()[-1]; }

QConvShape Padded(int64_t size, int64_t in_c, int64_t out_c, int64_t kernel, int64_t groups = 1,
                  int64_t stride = 1) {
  return Square(size, in_c, out_c, kernel, stride, kernel / 2, groups);
}

// Odd and even depths, windows, groups and depthwise shapes.
std::vector<QConvShape> Shapes() {
  std::vector<QConvShape> shapes;
  for (int64_t m : {1, 6, 7, 25}) {
    for (int64_t n : {1, 8, 17, 33}) {
      for (int64_t k : {1, 2, 3, 5, 6, 16, 67}) shapes.push_back(QGemmShape(m, k, n));
    }
  }
  for (int64_t in_c : {1, 3, 6, 16, 33}) {
    for (int64_t kernel : {1, 3, 5}) {
      shapes.push_back(Padded(7, in_c, 19, kernel));
      shapes.push_back(Padded(8, in_c, 32, kernel, 1, 2));
      shapes.push_back(Padded(6, 3 * in_c, 3 * 9, kernel, 3));
    }
  }
  for (int64_t channels : {1, 5, 8, 16, 19, 40}) {
    for (int64_t kernel : {1, 2, 3, 5}) {
      shapes.push_back(Padded(9, channels, channels, kernel, channels));
      shapes.push_back(Padded(7, channels, channels, kernel, channels, 2));
      shapes.back().batch = 2;
    }
  }
  return shapes;
}

TEST(QSaturating, RowsGiveTheBitsOfTheReference) {
  for (QConvShape shape : Shapes()) {
    for (QConvValues values : {QConvValues::kAny, QConvValues::kExtreme}) {
      CheckQConv(QSaturatingRows(), {.shape = shape, .values = values});
      CheckQConv(QSaturatingRows(), {.shape = shape,
                                     .transposed = true,
                                     .w_zero_points = true,
                                     .residual = true,
                                     .gap = 3,
                                     .offset = 1,
                                     .values = values});
    }
    shape.out = QOut::kS32;
    CheckQConv(QSaturatingRows(), {.shape = shape, .values = QConvValues::kExtreme});
  }
}

TEST(QSaturating, ReferenceIsTheLoop) {
  const int64_t m = 4, n = 5;
  for (int64_t k : {1, 2, 7, 30}) {
    Random random(static_cast<uint32_t>(k));
    std::vector<uint8_t> x(m * k);
    std::vector<int8_t> w(n * k);
    for (auto& value : x) value = static_cast<uint8_t>(random.integer(0, 3) ? 255 : 11);
    for (auto& value : w) value = static_cast<int8_t>(random.integer(0, 1) ? 127 : -128);
    std::vector<int32_t> y(m * n), zero_points(n, -3), bias(n, 1000);
    QConvShape shape = QGemmShape(m, k, n, QOut::kS32);
    shape.w_zero_points = true;
    Bytes packed(Reference()->packed_bytes(shape));
    Reference()->pack(
        shape,
        {.w = w.data(), .bias = bias.data(), .w_zero_point = zero_points.data(), .x_zero_point = 9},
        packed.data());
    Reference()->run({.shape = shape, .packed = packed.data(), .x = x.data(), .y = y.data()}, 0,
                     Reference()->tasks(shape), nullptr);
    for (int64_t row = 0; row < m; ++row) {
      for (int64_t o = 0; o < n; ++o) {
        int32_t sum = 1000;
        for (int64_t i = 0; i < k; i += 2) {
          int32_t pair = x[row * k + i] * w[o * k + i];
          if (i + 1 < k) pair += x[row * k + i + 1] * w[o * k + i + 1];
          sum += std::clamp(pair, -32768, 32767);
        }
        for (int64_t i = 0; i < k; ++i) sum += -9 * w[o * k + i] + 3 * (x[row * k + i] - 9);
        EXPECT_EQ(y[row * n + o], sum) << k << " at " << row << ", " << o;
      }
    }
  }
}

TEST(QSaturating, SevenBitWeightsNeverDiffer) {
  for (QConvShape shape : Shapes()) {
    shape.out = QOut::kS32;
    const QConvOperands operands({.shape = shape, .values = QConvValues::kSevenBits});
    EXPECT_EQ(operands.Run(Reference(), 0), operands.Run(ExactReference(), 0));
  }
  for (int x = 0; x < 256; ++x) {
    for (int w : {-64, 64}) {
      const int sum = SaturatingPair(static_cast<uint8_t>(x), static_cast<int8_t>(w), 255,
                                     static_cast<int8_t>(w));
      EXPECT_EQ(sum, (x + 255) * w);
    }
  }
}

TEST(QSaturating, TwoLargeProductsDo) {
  EXPECT_EQ(SaturatingPair(255, 127, 255, 127), 32767);
  EXPECT_EQ(SaturatingPair(255, -128, 255, -128), -32768);
  EXPECT_EQ(SaturatingPair(255, -128, 0, 0), -32640);
  for (QConvShape shape : Shapes()) {
    // Few pairs need not hold one that saturates.
    if (shape.depth() < 2 || shape.pixels() * shape.out_c < 50) continue;
    shape.out = QOut::kS32;
    const QConvOperands operands({.shape = shape, .values = QConvValues::kExtreme});
    EXPECT_NE(operands.Run(Reference(), 0), operands.Run(ExactReference(), 0))
        << operands.checked();
  }
}

TEST(QSaturating, NeverFoundUnasked) {
  for (uint32_t isas : {ImpliedIsas(Isa::kAvx2), ImpliedIsas(Isa::kAvx512Vnni), ~0u, 1u}) {
    Cpu cpu;
    cpu.isas = isas;
    const QConvShape shape = QGemmShape(8, 8, 8);
    for (const auto& row : QSaturatingRows()) {
      EXPECT_NE(FindQConv(cpu, shape)->functions, row.functions);
    }
    EXPECT_TRUE(std::string_view(FindQSaturating(cpu, shape)->name).starts_with("qsaturating"));
  }
}

}  // namespace
}  // namespace pare::kernels
