#include "kernels/transpose/transpose.h"

#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {
namespace {

// Of the strip's `rows` each stays in the cache while its columns are visited one after the other.
constexpr int64_t kStrip = 16;

template <typename T>
void RunAs(const TransposeArgs& args) {
  for (int64_t begin = 0; begin < args.rows; begin += kStrip) {
    const int64_t rows = MinInt(kStrip, args.rows - begin);
    const T* x = static_cast<const T*>(args.x) + begin * args.x_row;
    T* y = static_cast<T*>(args.y) + begin;
    for (int64_t c = 0; c < args.columns; ++c, y += args.y_row) {
      for (int64_t r = 0; r < rows; ++r) y[r] = x[r * args.x_row + c];
    }
  }
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
