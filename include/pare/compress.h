// Making models smaller and faster, and showing what it costs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pare/data.h"
#include "pare/model.h"

namespace pare {

struct QuantizeOptions {
  PreprocessFields preprocess;  // what the model's metadata says, where empty; then stored there
  int64_t calibration = 300;    // samples
  int64_t verification = 1000;  // of the others
  uint64_t seed = 0;            // of these, and of what tuning draws: its validation, its order
  std::string calibrator = "auto";     // minmax, percentile, entropy, mse, outputs
  std::string overflow_safe = "auto";  // always, never
  std::string weight_bits = "8";       // 7, 4, auto
  // > 0: so many steps of training against the float model, on all samples but those that verify
  int64_t tune_steps = 0;
  // Glob patterns over the operators of layers and the names of their nodes and outputs.
  std::vector<std::string> keep_float;
  // Percentage points of top-1, or of agreement without labels; of R² (1 = 100 points) where the
  // dataset has targets.
  std::optional<double> max_drop;
  bool any_target = false;  // decide nothing by time measured here
  int threads = 0;
};

struct LayerResult {
  std::string name, op;
  std::string precision;  // "int8", "int7" (pairs fit 16 bits), "int4", "float32"
  std::string reason;     // why, where it needs one
};

// Percentages are 0…100; nullopt where unknown. a = float, b = int8.
struct QuantizeResult {
  Model model;
  std::optional<double> top1_a, top1_b, agreement;
  double cosine = 0;                 // of the outputs, mean over the verification samples
  std::optional<double> r2_a, r2_b;  // by the dataset's targets, at most 1
  double speedup = 0;                // median time of a / median time of b, by turns, batch 1
  std::vector<LayerResult> layers;
  std::vector<std::string> notes;  // what the job told: too few samples, what was tried in vain …
};

// Static integers: s8 or i4 weights by output channel, u8 activations by tensor. Calibrates,
// searches, verifies on samples that calibration did not see. kUnmet where max_drop can't be held
// on the half of these that steers; the percentages are of the others, which may lose a little
// more.
Result<QuantizeResult> Quantize(const Model& model, const Dataset& dataset,
                                const QuantizeOptions& options = {});

}  // namespace pare
