// Feeding two models with the same samples: which input of the one is which of the other.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/preprocess.h"
#include "graph/graph.h"

namespace pare::compress {

// How a batch for one model is handed to another one.
struct SharedInputs {
  // Of each of the other model's inputs: its place among the first one's, and the type it takes.
  // None: as they are.
  std::vector<size_t> places;
  std::vector<DType> types;
  std::string note;  // where several inputs were matched by their places, for want of equal names

  // What the other model takes of `inputs`, in its order; floats are cast to its types.
  Result<std::vector<Tensor>> Of(std::span<const Tensor> inputs) const;
  // The shapes that it then has; a batch that it fixes stays.
  std::vector<Dims> ShapesOf(const graph::Graph& other, std::span<const Dims> shapes) const;
};

// The places of `other`'s inputs among `fed`'s: by name where both have the same names, else in
// the same order.
std::vector<size_t> InputPlaces(const graph::Graph& fed, const graph::Graph& other);

// Fails (kUsage) where the models have different numbers of inputs, or matched ones differ in more
// than the float type: in the kind of element, or in the shape as far as it is known.
Result<SharedInputs> MatchInputs(const graph::Graph& fed, const graph::Graph& other);

// What data is told of the model that takes it: its inputs' names, and how many classes it has.
void DescribeTaker(const graph::Graph& graph, const data::Preprocess& preprocess,
                   data::DatasetOptions& options);

// Of one shape, as far as both are known.
bool SameShape(const graph::TensorType& a, const graph::TensorType& b);

}  // namespace pare::compress
