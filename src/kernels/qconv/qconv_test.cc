#include "kernels/qconv/qconv.h"

#include "kernels/qconv/testing.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

void Check(const QConvCase& c) { CheckQConv(QConvRows(), c); }

TEST(QConv, ReferenceIsTheSum) {
  const int8_t w[] = {1, 2, 3, -4};
  const int32_t bias[] = {10, -7};
  const float scale[] = {0.5f, 1.0f};
  const uint8_t x[] = {7, 9};
  const uint8_t residual[] = {3, 250};
  uint8_t y[2];
  QConvArgs args{.shape = QGemmShape(1, 2, 2), .x = x, .y = y};
  args.y_zero_point = 100;
  args.residual = residual;
  args.residual_zero_point = 5;
  args.residual_scale = 0.25f;
  const QConvKernel& scalar = *QConvRows().end()[-1].functions;
  Bytes packed(scalar.packed_bytes(args.shape));
  scalar.pack(args.shape, {.w = w, .bias = bias, .scale = scale, .x_zero_point = 6}, packed.data());
  args.packed = packed.data();
  scalar.run(args, 0, 1, nullptr);
  EXPECT_EQ(y[0], 108);  // (1 + 6 + 10) / 2 - 2 / 4 = 8
  EXPECT_EQ(y[1], 145);  // 3 - 12 - 7 + 245 / 4 = 45.25
}

TEST(QConv, GemmSizesAroundTheTiles) {
  for (int64_t m : {1, 3, 6, 7, 12, 13, 25}) {
    for (int64_t n : {1, 7, 8, 16, 17, 32, 33, 48, 65}) {
      for (int64_t k : {1, 2, 3, 4, 5, 16, 31, 67}) Check({.shape = QGemmShape(m, k, n)});
    }
  }
}

TEST(QConv, OutputsResidualAndOrder) {
  for (QOut out : {QOut::kU8, QOut::kF32, QOut::kS32}) {
    for (bool transposed : {false, true}) {
      for (bool zero_points : {false, true}) {
        Check({.shape = QGemmShape(14, 37, 41, out),
               .transposed = transposed,
               .w_zero_points = zero_points,
               .residual = out == QOut::kU8,
               .gap = 3,
               .offset = 1});
      }
    }
  }
}

TEST(QConv, Windows) {
  for (int64_t in_c : {1, 3, 4, 6, 16, 33}) {
    for (int64_t out_c : {5, 32}) {
      Check({.shape = Square(7, in_c, out_c, 3, 1, 1)});
      Check({.shape = Square(8, in_c, out_c, 3, 2, 1), .gap = 5});
      Check({.shape = Square(9, in_c, out_c, 5, 1, 2), .residual = true});
      Check({.shape = Square(6, in_c, out_c, 1, 2, 0)});
      Check({.shape = Square(3, in_c, out_c, 3, 1, 2)});
    }
  }
  QConvShape s = Square(11, 8, 24, 3, 1, 0);
  s.batch = 3;
  Check({.shape = s});
  s.dilation_h = s.dilation_w = 2;
  s.out_h = s.out_w = 7;
  Check({.shape = s});
  s.kernel_h = 1, s.kernel_w = 7, s.dilation_w = 1;
  s.out_h = 11, s.out_w = 8, s.pad_left = 2;
  Check({.shape = s, .w_zero_points = true});
}

TEST(QConv, Groups) {
  for (int64_t channels : {1, 2, 4, 5, 12}) {
    QConvShape s = Square(5, 3 * channels, 3 * 7, 3, 1, 1);
    s.groups = 3;
    Check({.shape = s});
    Check({.shape = s, .w_zero_points = true, .residual = true, .gap = 4});
  }
}

// Weights that saturate 16-bit sums, weights that never do, and both.
TEST(QConv, ExtremeValues) {
  for (QConvValues values : {QConvValues::kExtreme, QConvValues::kSevenBits, QConvValues::kSmall}) {
    for (int64_t k : {1, 4, 8, 30, 132, 260}) {
      Check({.shape = QGemmShape(7, k, 40), .values = values});
      Check({.shape = QGemmShape(3, k, 19, QOut::kS32), .values = values});
    }
    Check({.shape = Square(6, 20, 18, 3, 1, 1), .values = values});
  }
}

TEST(QConv, ManyTasks) {
  Check({.shape = QGemmShape(1, 1500, 1000)});
  Check({.shape = QGemmShape(300, 130, 70)});
}

TEST(QConv, NothingToDo) {
  Check({.shape = QGemmShape(0, 8, 8)});
  Check({.shape = QGemmShape(5, 0, 8)});
}

TEST(QConv, FindTakesTheBestThatTheCpuHas) {
  Cpu cpu;
  EXPECT_STREQ(FindQConv(cpu, QGemmShape(8, 8, 8))->name, "qconv_u8s8_scalar");
#if defined(__x86_64__)
  cpu.isas |= 1u << static_cast<int>(Isa::kAvx2);
  EXPECT_STREQ(FindQConv(cpu, QGemmShape(8, 8, 8))->name, "qconv_u8s8_avx2");
  cpu.isas |= 1u << static_cast<int>(Isa::kAvx512Vnni);
  EXPECT_STREQ(FindQConv(cpu, QGemmShape(8, 8, 8))->name, "qconv_u8s8_avx512vnni");
#endif
}

}  // namespace
}  // namespace pare::kernels
