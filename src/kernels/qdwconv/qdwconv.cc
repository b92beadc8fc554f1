#include "kernels/qdwconv/qdwconv.h"

#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(QConvKernel, isa, symbol)
#include "kernels/qdwconv/qdwconv.inc"
#undef PARE_KERNEL

Rows<QConvKernel> QDwConvRows() {
  static constexpr Row<QConvKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/qdwconv/qdwconv.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<QConvKernel>* FindQDwConv(const Cpu& cpu, const QConvShape& shape) {
  return FindRow(QDwConvRows(), cpu, shape);
}

}  // namespace pare::kernels
