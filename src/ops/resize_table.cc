#include "ops/resize_table.h"

#include <algorithm>
#include <cmath>

namespace pare::ops {

Result<ResizeMode> ReadResizeMode(const graph::Attrs& attrs) {
  ResizeMode mode{.transform = attrs.s("coordinate_transformation_mode", "half_pixel"),
                  .nearest = attrs.s("nearest_mode", "round_prefer_floor"),
                  .cubic_a = attrs.f("cubic_coeff_a", -0.75f),
                  .exclude_outside = attrs.i("exclude_outside", 0) != 0,
                  .antialias = attrs.i("antialias", 0) != 0};
  const std::string kind = attrs.s("mode", "nearest");
  if (kind == "linear") {
    mode.kind = ResizeMode::Kind::kLinear;
  } else if (kind == "cubic") {
    mode.kind = ResizeMode::Kind::kCubic;
  } else if (kind != "nearest") {
    return Invalid(Text("mode is \"", kind, "\""));
  }
  const auto check = [](const std::string& value, std::string_view what,
                        std::initializer_list<std::string_view> known) -> Status {
    if (std::find(known.begin(), known.end(), value) != known.end()) return {};
    return Invalid(Text(what, " is \"", value, "\""));
  };
  PARE_TRY(check(mode.transform, "coordinate_transformation_mode",
                 {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                  "asymmetric", "tf_crop_and_resize", "tf_half_pixel_for_nn"}));
  PARE_TRY(check(mode.nearest, "nearest_mode",
                 {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}));
  return mode;
}

namespace {

// The place in the input of output element i. In float, as the definition's users compute it: a
// tie between two neighbours is decided by its rounding.
float SourceOf(const std::string& transform, const ResizeAxis& axis, int64_t i) {
  const float at = static_cast<float>(i), in = static_cast<float>(axis.in);
  const float out = static_cast<float>(axis.out);
  if (transform == "asymmetric") return at / axis.scale;
  if (transform == "align_corners") return axis.out == 1 ? 0.0f : at * (in - 1) / (out - 1);
  if (transform == "tf_half_pixel_for_nn") return (at + 0.5f) / axis.scale;
  if (transform == "tf_crop_and_resize") {
    if (axis.out == 1) return 0.5f * (axis.start + axis.end) * (in - 1);
    return axis.start * (in - 1) + at * (axis.end - axis.start) * (in - 1) / (out - 1);
  }
  if (transform == "pytorch_half_pixel" && axis.out == 1) return 0.0f;
  const float half = (at + 0.5f) / axis.scale - 0.5f;
  if (transform != "half_pixel_symmetric") return half;
  // The picture that the scale asks for is not a whole number of elements: centre it.
  return in / 2 * (1 - out / (axis.scale * in)) + half;
}

int64_t Nearest(const std::string& mode, float x) {
  const float low = std::floor(x);
  if (mode == "floor") return static_cast<int64_t>(low);
  if (mode == "ceil") return static_cast<int64_t>(std::ceil(x));
  const bool up = mode == "round_prefer_floor" ? x - low > 0.5f : x - low >= 0.5f;
  return static_cast<int64_t>(low) + (up ? 1 : 0);
}

// Keys' cubic convolution kernel.
float Cubic(float a, float x) {
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return 0;
}

float Filter(const ResizeMode& mode, float x) {
  if (mode.kind == ResizeMode::Kind::kCubic) return Cubic(mode.cubic_a, x);
  return std::max(0.0f, 1 - std::fabs(x));
}

// Fills the taps around x with a filter that is 1/stretch as wide. Outside the input stands its
// edge, or nothing (then the weights are made to sum up to 1 again).
void FillTaps(const ResizeMode& mode, const ResizeAxis& axis, float x, float stretch, bool exclude,
              int64_t taps, int32_t* index, float* weight) {
  const int64_t first = static_cast<int64_t>(std::floor(x)) - (taps / 2 - 1);
  float sum = 0;
  for (int64_t t = 0; t < taps; ++t) {
    const int64_t from = first + t;
    index[t] = static_cast<int32_t>(std::clamp(from, int64_t{0}, axis.in - 1));
    weight[t] = Filter(mode, (static_cast<float>(from) - x) * stretch);
    if (exclude && from != index[t]) weight[t] = 0;
    sum += weight[t];
  }
  if (!exclude && stretch == 1) return;
  for (int64_t t = 0; t < taps && sum != 0; ++t) weight[t] /= sum;
}

}  // namespace

ResizeTable MakeResizeTable(const ResizeMode& mode, const ResizeAxis& axis) {
  using Kind = ResizeMode::Kind;
  ResizeTable table;
  float stretch = 1;
  if (mode.kind != Kind::kNearest) {
    const bool smooth = mode.antialias && axis.scale < 1;
    if (smooth) stretch = axis.scale;
    const float radius = (mode.kind == Kind::kCubic ? 2.0f : 1.0f) / stretch;
    table.taps = 2 * static_cast<int64_t>(std::ceil(radius));
  }
  table.index.resize(static_cast<size_t>(axis.out * table.taps));
  table.weight.assign(table.index.size(), 1.0f);
  const float last = static_cast<float>(axis.in - 1);
  for (int64_t i = 0; i < axis.out; ++i) {
    int32_t* index = table.index.data() + i * table.taps;
    float x = SourceOf(mode.transform, axis, i);
    if (mode.transform == "tf_crop_and_resize" && (x < 0 || x > last)) {
      index[0] = -1;
    } else if (mode.kind == Kind::kNearest) {
      index[0] =
          static_cast<int32_t>(std::clamp(Nearest(mode.nearest, x), int64_t{0}, axis.in - 1));
    } else {
      if (mode.kind == Kind::kLinear && stretch == 1) x = std::clamp(x, 0.0f, last);
      FillTaps(mode, axis, x, stretch, mode.exclude_outside || stretch != 1, table.taps, index,
               table.weight.data() + i * table.taps);
    }
  }
  return table;
}

ResizeTable Transposed(const ResizeTable& table, int64_t in) {
  std::vector<std::vector<std::pair<int32_t, float>>> readers(static_cast<size_t>(in));
  for (size_t at = 0; at < table.index.size(); ++at) {
    const auto taps = static_cast<size_t>(table.taps);
    if (table.index[at / taps * taps] < 0 || table.weight[at] == 0) continue;
    readers[static_cast<size_t>(table.index[at])].emplace_back(at / taps, table.weight[at]);
  }
  ResizeTable result;
  for (const auto& each : readers) result.taps = std::max(result.taps, std::ssize(each));
  for (const auto& each : readers) {
    for (size_t tap = 0; tap < static_cast<size_t>(result.taps); ++tap) {
      const auto [index, weight] = tap < each.size() ? each[tap] : std::pair(0, 0.0f);
      result.index.push_back(index);
      result.weight.push_back(weight);
    }
  }
  return result;
}

}  // namespace pare::ops
