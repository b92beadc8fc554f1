#include "kernels/binary/binary.h"

#include <bit>
#include <vector>

#include "base/dtype.h"
#include "kernels/activation.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

const Row<BinaryKernel>& Portable() { return *(BinaryRows().end() - 1); }

struct Layout {
  int64_t rows, columns;
  int a_step, b_step;
  bool a_repeats, b_repeats;  // every row the same
};

std::vector<Layout> Layouts() {
  std::vector<Layout> all;
  for (int64_t columns : {1, 5, 8, 16, 19, 67}) {
    for (int bits = 0; bits < 16; ++bits) {
      all.push_back({3, columns, bits & 1, bits >> 1 & 1, (bits & 4) != 0, (bits & 8) != 0});
    }
  }
  all.push_back({0, 4, 1, 1, false, false});
  all.push_back({4, 0, 1, 1, false, false});
  return all;
}

struct Operands {
  explicit Operands(const Layout& layout) : a(4 * layout.columns + 4, 1), b(a.size(), 2) {
    Random random(static_cast<uint32_t>(layout.columns));
    random.fill(a, -3, 3);
    random.fill(b, -3, 3);
  }
  BinaryArgs Args(const Layout& layout) const {
    return {.a = a.data(),
            .b = b.data(),
            .rows = layout.rows,
            .columns = layout.columns,
            .a_row = layout.a_repeats ? 0
                     : layout.a_step  ? layout.columns
                                      : 1,
            .b_row = layout.b_repeats ? 0
                     : layout.b_step  ? layout.columns
                                      : 1,
            .a_step = layout.a_step,
            .b_step = layout.b_step};
  }
  Buffer<float> a, b;
};

enum class Types { kNumbers, kFloats };  // those of functions.inc that have loops

// Of one kind: arithmetic, or (kFloats) gradients.
std::vector<BinaryFunction> LoopsOf(Types wanted) {
  std::vector<BinaryFunction> functions;
#define PARE_BINARY(name, types, ...) \
  if (Types::types == wanted) functions.push_back(BinaryFunction::k##name);
#define PARE_BINARY_SLOW(...)
#include "kernels/binary/functions.inc"
#undef PARE_BINARY
#undef PARE_BINARY_SLOW
  return functions;
}

float Meaning(BinaryFunction function, float p, float q) {
  switch (function) {
    case BinaryFunction::kAdd:
      return p + q;
    case BinaryFunction::kDiv:
      return p / q;
    case BinaryFunction::kMax:
      return std::max(p, q);
    case BinaryFunction::kMin:
      return std::min(p, q);
    case BinaryFunction::kMul:
      return p * q;
    case BinaryFunction::kPRelu:
      return p < 0 ? p * q : p;
    case BinaryFunction::kSub:
      return p - q;
    default:
      ADD_FAILURE() << "what does it mean?";
      return 0;
  }
}

TEST(Binary, RowsComputeTheMeaningOverAllLayouts) {
  ForEachRow(BinaryRows(), [&](const Row<BinaryKernel>& row) {
    for (BinaryFunction function : LoopsOf(Types::kNumbers)) {
      for (const Layout& layout : Layouts()) {
        const Operands in(layout);
        BinaryArgs args = in.Args(layout);
        Buffer<float> y(layout.rows * layout.columns, 3);
        args.y = y.data();
        row->find(function)(args);
        for (int64_t i = 0; i < y.size(); ++i) {
          const int64_t r = i / layout.columns, c = i % layout.columns;
          const float p = in.a[r * args.a_row + c * args.a_step];
          const float q = in.b[r * args.b_row + c * args.b_step];
          ASSERT_EQ(y[i], Meaning(function, p, q)) << static_cast<int>(function) << " at " << i;
        }
        EXPECT_TRUE(y.guards_hold());
      }
    }
  });
}

TEST(Binary, GradientsComputeTheMeaningAndRowsAgreeToTheBit) {
  const Layout layout{3, 67, 1, 1, false, false};
  const Operands in(layout);
  const std::vector<double> p(in.a.data(), in.a.data() + in.a.size());
  const std::vector<double> q(in.b.data(), in.b.data() + in.b.size());
  for (BinaryFunction function : LoopsOf(Types::kFloats)) {
    BinaryArgs args = in.Args(layout);
    std::vector<double> meaning(layout.rows * layout.columns);
    BinaryArgs exact = args;
    exact.a = p.data();
    exact.b = q.data();
    exact.y = meaning.data();
    FindBinary(DetectCpu(), function, DType::kF64).run(exact);
    Buffer<float> portable(layout.rows * layout.columns);
    args.y = portable.data();
    Portable()->find(function)(args);
    ForEachRow(BinaryRows(), [&](const Row<BinaryKernel>& row) {
      Buffer<float> y(portable.size());
      args.y = y.data();
      row->find(function)(args);
      for (int64_t i = 0; i < y.size(); ++i) {
        ASSERT_NEAR(y[i], meaning[i], 4e-6) << static_cast<int>(function) << " at " << i;
        ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(portable[i]));
      }
    });
  }
}

TEST(Binary, ActivationsComeAfterAndRowsAgreeToTheBit) {
  const Layout layout{5, 37, 1, 1, false, true};
  const Operands in(layout);
  ForEachRow(BinaryRows(), [&](const Row<BinaryKernel>& row) {
    for (const Activation& activation : AllActivations()) {
      Buffer<float> y(layout.rows * layout.columns), expected(y.size());
      BinaryArgs args = in.Args(layout);
      args.activation = activation;
      args.y = y.data();
      row->find(BinaryFunction::kAdd)(args);
      args.y = expected.data();
      Portable()->find(BinaryFunction::kAdd)(args);
      for (int64_t i = 0; i < y.size(); ++i) {
        const float sum = in.a[i] + in.b[i % layout.columns];
        ASSERT_NEAR(y[i], Activate(activation, sum), 2e-6);
        ASSERT_EQ(std::bit_cast<uint32_t>(y[i]), std::bit_cast<uint32_t>(expected[i]));
      }
    }
  });
}

TEST(Binary, NanGoesThroughAndTheLimitsHoldIt) {
  ForEachRow(BinaryRows(), [&](const Row<BinaryKernel>& row) {
    const float nan = std::nanf("");
    const float a[] = {nan, 1, nan}, b[] = {1, nan, nan};
    float y[3];
    for (BinaryFunction function : LoopsOf(Types::kNumbers)) {
      if (function == BinaryFunction::kPRelu) continue;  // 1 stays 1 whatever the slope
      row->find(function)({.a = a, .b = b, .y = y, .rows = 1, .columns = 3});
      for (float v : y) EXPECT_TRUE(std::isnan(v)) << static_cast<int>(function);
    }
  });
}

template <typename T>
std::vector<T> RunAny(BinaryFunction function, std::vector<T> a, std::vector<T> b) {
  std::vector<T> y(a.size());
  FindBinary(Cpu{}, function, DTypeOf<T>)
      .run({.a = a.data(), .b = b.data(), .y = y.data(), .rows = 1, .columns = std::ssize(a)});
  return y;
}

TEST(Binary, IntegersWrapAroundAndNothingTraps) {
  using V = std::vector<int32_t>;
  EXPECT_EQ(RunAny<int32_t>(BinaryFunction::kAdd, {INT32_MAX}, {1}), V{INT32_MIN});
  EXPECT_EQ(RunAny<int32_t>(BinaryFunction::kMul, {INT32_MIN}, {-1}), V{INT32_MIN});
  EXPECT_EQ(RunAny<int32_t>(BinaryFunction::kDiv, {INT32_MIN, 7, 7}, {-1, 0, -2}),
            (V{INT32_MIN, 0, -3}));
  EXPECT_EQ(RunAny<int32_t>(BinaryFunction::kMod, {-7, 7, 7, INT32_MIN}, {3, -3, 0, -1}),
            (V{2, -2, 0, 0}));
  EXPECT_EQ(RunAny<int32_t>(BinaryFunction::kFmod, {-7, 7}, {3, -3}), (V{-1, 1}));
  EXPECT_EQ(RunAny<int32_t>(BinaryFunction::kPow, {3, -2, 2, 1, -1}, {4, 3, -1, -5, -3}),
            (V{81, -8, 0, 1, -1}));
  EXPECT_EQ(RunAny<uint8_t>(BinaryFunction::kBitShiftLeft, {1, 255, 1}, {3, 1, 9}),
            (std::vector<uint8_t>{8, 254, 0}));
  EXPECT_EQ(RunAny<uint16_t>(BinaryFunction::kMul, {65535}, {65535}), std::vector<uint16_t>{1});
  EXPECT_EQ(FindBinary(Cpu{}, BinaryFunction::kAdd, DType::kBool).run, nullptr);
  EXPECT_EQ(FindBinary(Cpu{}, BinaryFunction::kAnd, DType::kF32).run, nullptr);
  EXPECT_EQ(FindBinary(Cpu{}, BinaryFunction::kBitShiftLeft, DType::kI32).run, nullptr);
}

}  // namespace
}  // namespace pare::kernels
