// Transposes a plane: y[c · y_row + r] = x[r · x_row + c] for r in [0, rows), c in [0, columns).
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

struct TransposeArgs {
  const void* x = nullptr;
  void* y = nullptr;  // does not overlap x
  int64_t rows = 0, columns = 0;
  int64_t x_row = 0, y_row = 0;  // in elements
};

struct TransposeShape {
  int64_t element_bytes = 4;  // 1, 2, 4 or 8
  int64_t rows = 0;           // of the plane
};

struct TransposeKernel {
  bool (*supports)(const TransposeShape&);
  double (*cost)(const TransposeShape&);
  void (*run)(const TransposeShape&, const TransposeArgs&) noexcept;
};

Rows<TransposeKernel> TransposeRows();

// Never null.
const Row<TransposeKernel>* FindTranspose(const Cpu& cpu, const TransposeShape& shape);

}  // namespace pare::kernels
