// Builds int8 graphs from one calibrated float graph: the search tries several, and takes the one
// whose outputs are nearest to the float model's.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compress/quantize/calibrator.h"
#include "compress/quantize/statistics.h"
#include "compress/quantize/write_qdq.h"

namespace pare::compress {

// What can differ between two int8 forms of a graph.
struct Variant {
  Calibrator calibrator = Calibrator::kAuto;
  bool bias_correction = true;
  std::map<std::string, std::string> given_back;  // layer → why it is float
  std::map<std::string, int> weight_bits;         // layer → bits, where not 8
};

struct Built {
  graph::Graph graph;
  Scheme scheme;  // ids are those of the float graph, and of `graph`
};

// A float graph with what calibration saw of it. `keep_float` as in QuantizeOptions.
struct Calibration {
  graph::Graph graph;
  Statistics statistics;
  std::vector<std::string> keep_float;
};

Result<Built> Build(const Calibration& calibration, const Variant& variant);

// The values whose statistics Build needs.
std::vector<graph::ValueId> ValuesToObserve(const graph::Graph& graph, const Scheme& scheme);

}  // namespace pare::compress
