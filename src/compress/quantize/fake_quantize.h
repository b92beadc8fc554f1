// A quantization as a float graph that can be trained: where WriteQdq would write Q/DQ pairs stand
// pare.FakeQuantize nodes, whose scales are trained along (Esser et al., "Learned Step Size
// Quantization", 2020). What training made of it becomes a quantization again.
//
// A scale is the one that it began with, times e^r with a parameter r that begins at 0: so it stays
// positive whatever the step, a step changes all scales by the same proportion, however small they
// are, and before the first one the graph computes what the quantization does.
#pragma once

#include <string>
#include <vector>

#include "compress/quantize/builder.h"

namespace pare::compress {

struct FakeQuantized {
  graph::Graph graph;  // ids of the quantization's graph are ids here
  struct Scale {
    graph::ValueId ratio, scale;  // r; the scale, computed from it
  };
  std::vector<Scale> of_groups;  // by group of the scheme
  std::map<graph::NodeId, Scale> of_weights;

  // The names of all r: what training moves beside the weights (train::ParameterOptions::also).
  std::vector<std::string> Ratios() const;
};

Result<FakeQuantized> InsertFakeQuantize(const Quantization& quantization);

// `trained` is inserted.graph with other constants. Integers and scales are those that its nodes
// compute with, to the bit; biases are rounded when they are written.
Result<Quantization> TakeFakeQuantize(const Quantization& quantization,
                                      const FakeQuantized& inserted, const graph::Graph& trained);

}  // namespace pare::compress
