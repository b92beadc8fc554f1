#include "kernels/qeltwise/qeltwise.h"

#include <cstring>
#include <limits>

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

struct Op {
  const char* name;
  QEltwiseRun QEltwiseKernel::* run;
  int64_t in_bytes = 1, out_bytes = 1;
};
constexpr Op kOps[] = {{"quantize", &QEltwiseKernel::quantize, 4, 1},
                       {"dequantize", &QEltwiseKernel::dequantize, 1, 4},
                       {"requantize", &QEltwiseKernel::requantize},
                       {"add", &QEltwiseKernel::add},
                       {"mul", &QEltwiseKernel::mul},
                       {"lookup", &QEltwiseKernel::lookup}};

struct Case {
  int64_t rows, cols, gap = 0;
  bool repeat_b = false;  // one row of b for all
  int64_t b_step = 1;
  uint8_t flip = 0;
  int64_t offset = 0;
};

void FillFloats(Random& random, std::vector<float>& out) {
  const float specials[] = {0.0f,
                            -0.0f,
                            1e30f,
                            -1e30f,
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            std::nanf(""),
                            0.125f,
                            0.375f};
  for (float& x : out) {
    x = random.integer(0, 3) ? random.uniform(-40, 40) : specials[random.integer(0, 8)];
  }
}

void Check(const Op& op, const Case& c) {
  Random random(static_cast<uint32_t>(c.rows * 131 + c.cols));
  const int64_t stride = c.cols + c.gap, elements = c.rows * stride;
  std::vector<float> floats(static_cast<size_t>(elements));
  FillFloats(random, floats);
  Buffer<uint8_t> a(elements * op.in_bytes, c.offset * op.in_bytes), b(elements, c.offset),
      table(256);
  for (int64_t i = 0; i < a.size(); ++i) a[i] = static_cast<uint8_t>(random.integer(0, 255));
  if (op.in_bytes == 4 && elements > 0) std::memcpy(a.data(), floats.data(), floats.size() * 4);
  for (int64_t i = 0; i < b.size(); ++i) b[i] = static_cast<uint8_t>(random.integer(0, 255));
  for (int64_t i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(random.integer(0, 255));
  const auto run = [&](const Row<QEltwiseKernel>& row) {
    Buffer<uint8_t> y(elements * op.out_bytes, c.offset * op.out_bytes, 0x77);
    const QEltwiseArgs args{.rows = c.rows,
                            .cols = c.cols,
                            .a = a.data(),
                            .a_stride = stride,
                            .b = b.data(),
                            .b_stride = c.repeat_b ? 0 : stride,
                            .b_step = c.b_step,
                            .y = y.data(),
                            .y_stride = stride,
                            .a_zero_point = 130,
                            .b_zero_point = 7,
                            .y_zero_point = 101,
                            .a_scale = 0.25f,
                            .b_scale = 0.77f,
                            .lo = 5,
                            .hi = 249,
                            .flip = c.flip,
                            .table = table.data()};
    for (int64_t task = QEltwiseTasks(c.rows, c.cols) - 1; task >= 0; --task) {
      (row.functions->*op.run)(args, task, task + 1);
    }
    EXPECT_TRUE(y.guards_hold());
    return std::vector<uint8_t>(y.data(), y.data() + y.size());
  };
  const std::vector<uint8_t> expected = run(QEltwiseRows().end()[-1]);
  ForEachRow(QEltwiseRows(), [&](const Row<QEltwiseKernel>& row) {
    EXPECT_EQ(run(row), expected) << op.name << " " << c.rows << "x" << c.cols << " gap " << c.gap
                                  << " flip " << int{c.flip};
  });
}

TEST(QEltwise, SizesAroundTheVectors) {
  for (const Op& op : kOps) {
    for (int64_t cols = 0; cols < 70; ++cols)
      Check(op, {.rows = 3, .cols = cols, .offset = cols % 3});
  }
}

TEST(QEltwise, StridesAndBroadcasts) {
  for (const Op& op : kOps) {
    for (int64_t gap : {0, 5}) {
      Check(op, {.rows = 7, .cols = 45, .gap = gap, .repeat_b = true});
      Check(op, {.rows = 7, .cols = 45, .gap = gap, .b_step = 0, .offset = 1});
      Check(op, {.rows = 7, .cols = 45, .gap = gap, .flip = 0x80});
    }
  }
}

TEST(QEltwise, ManyTasks) {
  for (const Op& op : kOps) {
    Check(op, {.rows = 1, .cols = 200000});
    Check(op, {.rows = 1000, .cols = 133, .gap = 1});
  }
}

TEST(QEltwise, ReferenceRoundsToEvenAndSaturates) {
  const float x[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 1e9f, -1e9f, std::nanf("")};
  uint8_t y[8];
  QEltwiseRows().end()[-1]->quantize({.cols = 8, .a = x, .y = y, .y_zero_point = 10, .a_scale = 1},
                                     0, 1);
  EXPECT_EQ(std::vector<uint8_t>(y, y + 8), (std::vector<uint8_t>{10, 12, 12, 10, 8, 255, 0, 0}));
}

}  // namespace
}  // namespace pare::kernels
