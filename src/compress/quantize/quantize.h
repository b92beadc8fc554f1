// Quantization after training, and tuned by training where asked for, the whole job: a float graph
// and samples in, a verified integer graph out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compress/compare.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/overflow.h"
#include "compress/quantize/tune.h"
#include "compress/quantize/weight_bits.h"
#include "data/split.h"

namespace pare::compress {

struct QuantizeOptions {
  Calibrator calibrator = Calibrator::kAuto;
  bool bias_correction = true;
  bool equalization = true;  // where the predicted noise falls by it
  OverflowSafe overflow_safe = OverflowSafe::kAuto;
  // Glob patterns over the operators of layers and the names of their nodes and outputs.
  std::vector<std::string> keep_float;
  // Percentage points of top-1, or of agreement without labels; of R² (1 = 100 points) by targets.
  std::optional<double> max_drop;
  std::shared_ptr<const data::Dataset> targets;  // for max_drop, as CompareQuality has them
  // Integers even where float is faster on this machine; so it is with weights of 4 bits, too,
  // which are asked for to be small.
  bool keep_slow_layers = false;
  WeightBits weight_bits = WeightBits::k8;
  std::optional<TuneOptions> tune;  // on all samples but those that verify
  Metric metric = Metric::kAuto;
  int64_t batch = 1;
  data::SplitOptions split;
};

struct Quantized {
  graph::Graph graph;  // with Q/DQ, ready for export
  // The layers, b's precision with reasons; bytes_b and the final comparison are filled by Verify.
  std::vector<LayerReport> layers;
  Calibrator calibrator = Calibrator::kAuto;
  bool ranges_refined = false;  // from those of the calibrator
  bool equalized = false, bias_corrected = false;
  int seven_bit_layers = 0, four_bit_layers = 0;
  std::optional<Tuned> tuned;
  // `verification`: the samples that nothing was chosen by, unless there were too few for that.
  data::Split split;
  double seconds = 0;  // calibration, search and tuning, without verification
};

// Fails with kUsage where the graph has neither classes nor targets for max_drop (or targets that
// are all the same), or keep_float leaves no layer; kInvalid where weights are NaN or infinite;
// kUnsupported where it is quantized already, or nothing in it can be integer; kUnmet where
// max_drop can't be held, or by the float model alone.
Result<Quantized> Quantize(const graph::Graph& graph, std::shared_ptr<const data::Dataset> dataset,
                           const data::Preprocess& preprocess, const model::Context& context,
                           const QuantizeOptions& options, Progress& progress);

}  // namespace pare::compress
