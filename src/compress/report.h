// What the commands report, as values: the command line prints them, and docs/json.md names them.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compress/score.h"
#include "compress/timing.h"
#include "compress/values.h"

namespace pare::compress {

// Percentages are 0…100; nullopt where unknown.
struct Quality {
  std::optional<double> top1_a, top1_b, top5_a, top5_b;
  std::optional<double> agreement;  // of the largest output
  std::optional<Bounds> top1_a_bounds, top1_b_bounds, agreement_bounds;
  std::optional<Bounds> top1_change;  // of top1_b − top1_a, paired sample by sample
  std::optional<double> cosine, mse, psnr;
  std::optional<ValueErrors> values_a, values_b;  // against targets, where there are some
  int64_t count = 0;
  Metric metric = Metric::kAuto;  // what the drop goes by

  // Percentage points lost from a to b: of top-1 with labels, of agreement without; of what is no
  // classifier, of R² (1 = 100 points) by targets.
  std::optional<double> drop() const;
  std::string_view drop_name() const;  // "top-1", "agreement", "R²"
};

struct LayerReport {
  std::string name, op;
  // "int8", "int7" (pairs of weights fit, ops/pairs.h), "int4", "float32", "float16", …
  std::string precision;
  std::string reason;  // why that precision, where it needs one
  std::optional<double> snr_db = std::nullopt, cosine = std::nullopt;
  std::optional<double> a_ms = std::nullopt,
                        b_ms = std::nullopt;  // null where the layer is fused into another
};

inline bool InFloat(const LayerReport& layer) { return !layer.precision.starts_with("int"); }
inline bool AnyInteger(const std::vector<LayerReport>& layers) {
  return !std::ranges::all_of(layers, InFloat);
}

// On engines without VNNI, beside this one's figures on the same samples.
struct Saturation {
  int64_t samples = 0;
  double snr_db = 0, snr_db_saturating = 0;  // of the outputs (PairScore::snr)
  std::optional<double> agreement = {}, agreement_saturating = {};  // of classifiers, percent
  std::optional<double> top1 = {}, top1_saturating = {};            // with labels

  double times_the_error() const;  // Σ (output − reference)² there over that here
  bool notable() const;
};

struct Comparison {
  Quality quality;
  bool quantized = false;                // b, by its operators
  std::optional<Saturation> saturation;  // where it was asked for, and 8-bit layers are there
  Timed time;                            // sides a and b
  int64_t bytes_a = 0, bytes_b = 0;
  double verify_seconds = 0;
  std::vector<LayerReport> layers;
};

// Layer times by layer name: the time of a fused node counts for the layer whose name it carries.
std::map<std::string, double> TimesByLayer(const graph::Graph& graph,
                                           const std::vector<runtime::LayerTime>& layers);

}  // namespace pare::compress
