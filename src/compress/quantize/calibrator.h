// From a distribution to the range that eight bits shall cover.
#pragma once

#include <string_view>

#include "base/status.h"
#include "compress/quantize/histogram.h"

namespace pare::compress {

enum class Calibrator : uint8_t {
  kMinMax,      // all values seen
  kPercentile,  // all but the outermost 0.001 % on each side
  kEntropy,     // least KL divergence (Migacz, "8-bit Inference with TensorRT", GTC 2017)
  kMse,         // least mean squared error of the quantized values
  kOutputs,     // least error of the model's outputs, to first order (output_ranges.h)
  // Of a tensor: of those that look at it alone, the one with the least error there. Of a model:
  // these, or kOutputs, by the outputs.
  kAuto,
};

std::string_view CalibratorName(Calibrator calibrator);
Result<Calibrator> ParseCalibrator(std::string_view name);

struct Range {
  float lo = 0, hi = 0;  // lo ≤ 0 ≤ hi: zero is always exact
};

// u8 asymmetric: value = (q − zero_point) · scale.
struct QuantParams {
  float scale = 1;
  int zero_point = 0;
  friend bool operator==(const QuantParams&, const QuantParams&) = default;
};

QuantParams ToParams(Range range);

// `calibrator` must be one that looks at the tensor alone.
Range Calibrate(const Histogram& histogram, Calibrator calibrator);
struct Calibrated {
  Range range;
  Calibrator by;
};
Calibrated CalibrateAuto(const Histogram& histogram);

// The mean squared error of the histogram's values after quantization to 256 levels over `range`.
double QuantizationError(const Histogram& histogram, Range range);

}  // namespace pare::compress
