#include "kernels/recurrent/recurrent.h"

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

TEST(Recurrent, LstmCellsOfAnyWidth) {
  for (int64_t hidden : {1, 7, 8, 9, 16, 17, 100, 128}) {
    const int64_t rows = 3;
    Buffer<float> gates(rows * 4 * hidden, 1), before(rows * hidden);
    Random random(static_cast<uint32_t>(hidden));
    random.fill(gates, -6, 6);
    random.fill(before, -2, 2);
    const auto run = [&](const Row<RecurrentKernel>& row, Buffer<float>& c, Buffer<float>& y) {
      std::copy(before.span().begin(), before.span().end(), c.data());
      row->lstm({.shape = {.hidden = hidden},
                 .rows = rows,
                 .gates = gates.data(),
                 .c = c.data(),
                 .y = y.data()});
      EXPECT_TRUE(c.guards_hold() && y.guards_hold());
    };
    Buffer<float> expected_c(rows * hidden), expected_y(rows * hidden);
    run(*(RecurrentRows().end() - 1), expected_c, expected_y);
    ForEachRow(RecurrentRows(), [&](const Row<RecurrentKernel>& row) {
      Buffer<float> c(rows * hidden, 1), y(rows * hidden, 1);
      run(row, c, y);
      ExpectNear(c.span(), expected_c.span(), 2e-6);
      ExpectNear(y.span(), expected_y.span(), 2e-6);
    });
  }
}

TEST(Recurrent, RowsKnowWhatTheyDoNotSupport) {
  for (const Row<RecurrentKernel>& row : RecurrentRows()) {
    EXPECT_TRUE(row->supports({}));
    EXPECT_EQ(row->supports({.clip = 1.0f}), row.isa == Isa::kScalar);
    EXPECT_EQ(row->supports({.peephole = true}), row.isa == Isa::kScalar);
  }
}

// Away from kinks and beyond the clip.
TEST(Recurrent, SlopesAreThoseOfTheGates) {
  constexpr float kStep = 1.0f / 256;
  for (int kind = 0; kind <= static_cast<int>(GateFunction::Kind::kSoftplus); ++kind) {
    const GateFunction f{static_cast<GateFunction::Kind>(kind), 0.3f, 0.4f};
    for (float x : {-5.0f, -3.7f, -0.9f, -0.2f, 0.15f, 0.6f, 1.1f, 3.3f, 5.0f}) {
      const float expected =
          (ApplyGate(f, 4.0f, x + kStep) - ApplyGate(f, 4.0f, x - kStep)) / (2 * kStep);
      EXPECT_NEAR(GateSlope(f, 4.0f, x), expected, 1e-3) << kind << " at " << x;
    }
  }
}

}  // namespace
}  // namespace pare::kernels
