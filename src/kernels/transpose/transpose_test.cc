#include "kernels/transpose/transpose.h"

#include "kernels/testing.h"

namespace pare::kernels {
namespace {

template <typename T>
void Check(const Row<TransposeKernel>& row, int64_t rows, int64_t columns, int64_t gap) {
  const TransposeShape shape{sizeof(T), rows};
  if (!row->supports(shape)) return;
  const int64_t x_row = columns + gap, y_row = rows + 2 * gap;
  Buffer<T> x(rows * x_row, 1), y(columns * y_row, gap);
  for (int64_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(i * 7 + i / 251);
  row->run(shape, {x.data(), y.data(), rows, columns, x_row, y_row});
  EXPECT_TRUE(y.guards_hold());
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t r = 0; r < y_row; ++r) {
      const T want = r < rows ? x[r * x_row + c] : T{};
      ASSERT_EQ(y[c * y_row + r], want) << rows << "x" << columns << " at " << c << ", " << r;
    }
  }
}

TEST(Transpose, PlanesOfAllSizes) {
  ForEachRow(TransposeRows(), [&](const Row<TransposeKernel>& row) {
    for (int64_t rows : {1, 3, 4, 7, 8, 16, 17, 33, 64, 100}) {
      for (int64_t columns : {1, 2, 3, 4, 8, 15, 16, 31, 32, 65}) {
        for (int64_t gap : {0, 3}) {
          Check<uint8_t>(row, rows, columns, gap);
          Check<uint16_t>(row, rows, columns, gap);
          Check<uint32_t>(row, rows, columns, gap);
          Check<uint64_t>(row, rows, columns, gap);
        }
      }
    }
  });
}

}  // namespace
}  // namespace pare::kernels
