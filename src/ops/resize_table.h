// Where the elements of a resized axis come from: for each output index some input indices with
// weights.
#pragma once

#include <vector>

#include "ops/node_view.h"

namespace pare::ops {

struct ResizeMode {
  enum class Kind : uint8_t { kNearest, kLinear, kCubic } kind = Kind::kNearest;
  std::string transform, nearest;  // coordinate_transformation_mode, nearest_mode
  float cubic_a = -0.75f;
  bool exclude_outside = false, antialias = false;
};
Result<ResizeMode> ReadResizeMode(const graph::Attrs& attrs);

struct ResizeAxis {
  int64_t in = 1, out = 1;
  float scale = 1;           // out / in before rounding
  float start = 0, end = 1;  // the part of the input that tf_crop_and_resize takes
};

struct ResizeTable {
  int64_t taps = 1;
  std::vector<int32_t> index;  // [out, taps]; −1 in the first tap: outside of the input
  std::vector<float> weight;   // [out, taps]
};
ResizeTable MakeResizeTable(const ResizeMode& mode, const ResizeAxis& axis);
// What takes gradients of the output back to the `in` elements of the input: the same weights, from
// output to input.
ResizeTable Transposed(const ResizeTable& table, int64_t in);

}  // namespace pare::ops
