// Rows of a batch of outputs.
#pragma once

#include <algorithm>
#include <span>

#include "base/tensor.h"

namespace pare::compress {

// Row `row` of an f32 tensor whose first dimension is the batch; all of it where there is none.
inline std::span<const float> RowOf(const Tensor& tensor, int64_t row) {
  const int64_t rows = tensor.rank() > 0 && tensor.shape()[0] > 0 ? tensor.shape()[0] : 1;
  const int64_t width = tensor.count() / rows;
  return tensor.as<float>().subspan(static_cast<size_t>(std::min(row, rows - 1) * width),
                                    static_cast<size_t>(width));
}

}  // namespace pare::compress
