#include "kernels/transpose/transpose.h"

#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// A strip of kRows rows of x is walked column by column: as many streams are read as rows, and y is
// written in order.
template <typename T, int kRows>
void Strip(const T* x, int64_t x_row, T* y, int64_t y_row, int64_t columns) {
  for (int64_t c = 0; c < columns; ++c, y += y_row) {
    PARE_UNROLL
    for (int r = 0; r < kRows; ++r) y[r] = x[r * x_row + c];
  }
}

template <typename T>
void RunAs(const TransposeArgs& args) {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  int64_t rows = args.rows;
  const auto strips = [&]<int kRows>() {
    for (; rows >= kRows; rows -= kRows, x += kRows * args.x_row, y += kRows) {
      Strip<T, kRows>(x, args.x_row, y, args.y_row, args.columns);
    }
  };
  strips.template operator()<16>();
  strips.template operator()<4>();  // 3 are the colours of a picture
  strips.template operator()<3>();
  strips.template operator()<1>();
}

bool Supports(const TransposeShape&) { return true; }

void Run(const TransposeShape& shape, const TransposeArgs& args) noexcept {
  switch (shape.element_bytes) {
    case 1:
      return RunAs<uint8_t>(args);
    case 2:
      return RunAs<uint16_t>(args);
    case 4:
      return RunAs<uint32_t>(args);
    default:
      return RunAs<uint64_t>(args);
  }
}

}  // namespace

extern constexpr TransposeKernel transpose_any_scalar{
    .supports = Supports, .cost = nullptr, .run = Run};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(TransposeKernel, isa, symbol)
#include "kernels/transpose/transpose.inc"
#undef PARE_KERNEL

Rows<TransposeKernel> TransposeRows() {
  static constexpr Row<TransposeKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/transpose/transpose.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<TransposeKernel>* FindTranspose(const Cpu& cpu, const TransposeShape& shape) {
  return FindRow(TransposeRows(), cpu, shape);
}

}  // namespace pare::kernels
