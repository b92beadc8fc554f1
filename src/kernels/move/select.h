// y[r, c] = condition[r, c] ? a[r, c] : b[r, c], elements of any type.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

// y is dense [rows, columns]. Steps are in elements: *_row between rows, *_step along a row (1 or
// 0).
struct SelectArgs {
  const bool* condition = nullptr;
  const void* a = nullptr;
  const void* b = nullptr;
  void* y = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t condition_row = 0, a_row = 0, b_row = 0;
  int64_t condition_step = 1, a_step = 1, b_step = 1;
};

void Select(int64_t element_bytes, const SelectArgs& args) noexcept;

}  // namespace pare::kernels
