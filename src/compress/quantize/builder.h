// Builds int8 graphs from one calibrated float graph: the search tries several, and takes the one
// whose outputs are nearest to the float model's.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "compress/quantize/calibrator.h"
#include "compress/quantize/statistics.h"
#include "compress/quantize/write_qdq.h"
#include "platform/thread_pool.h"

namespace pare::compress {

// What can differ between two int8 forms of a graph.
struct Variant {
  Calibrator calibrator = Calibrator::kAuto;
  bool bias_correction = true;
  std::map<std::string, std::string> given_back;  // layer → why it is float
  std::map<std::string, int> weight_bits;         // layer → bits, where not 8
  std::map<std::string, float> range_factors;     // value → of its calibrated range, where not 1
  // Layer → what its output has too much on average, by channel; its bias takes it back.
  std::map<std::string, std::vector<double>> output_shift;
};

// What a form computes, before it is written.
struct Quantization {
  graph::Graph graph;               // float; biases are corrected
  Scheme scheme;                    // ids are those of the graph
  std::vector<QuantParams> params;  // by group of the scheme
  LayerWeights weights;
  bool bias_corrected = false;  // of any layer
};

struct Built {
  graph::Graph graph;
  Scheme scheme;                    // ids are those of the float graph, and of `graph`
  std::vector<QuantParams> params;  // by group of the scheme
  bool bias_corrected = false;      // of any layer
};

// A float graph with what calibration saw of it. `keep_float` as in QuantizeOptions.
struct Calibration {
  graph::Graph graph;
  Statistics statistics;
  std::vector<std::string> keep_float;
  std::map<std::string, Range> output_ranges;  // by value; none where gradients don't tell
  // What Prepare worked out; variants share it.
  std::map<std::pair<graph::NodeId, int>, std::shared_ptr<const QuantizedWeights>> rounded;  // bits
  std::map<std::pair<graph::ValueId, Calibrator>, Range> ranges;
};

// Works out the ranges and rounded weights that the variants need and that were not needed before,
// side by side on the pool. Without it Build works them out each time.
Status Prepare(Calibration& calibration, std::span<const Variant> variants, ThreadPool& pool);

// These may be called from several threads at once. Build is Write of Decide.
Result<Quantization> Decide(const Calibration& calibration, const Variant& variant);
Result<Built> Write(Quantization quantization);
Result<Built> Build(const Calibration& calibration, const Variant& variant);

// The values whose statistics Build needs.
std::vector<graph::ValueId> ValuesToObserve(const graph::Graph& graph, const Scheme& scheme);

}  // namespace pare::compress
