#include "graph/type.h"

#include <algorithm>

namespace pare::graph {

bool TensorType::is_static() const {
  return shape && std::all_of(shape->begin(), shape->end(), [](Dim dim) { return dim.known(); });
}

Dims TensorType::dims() const {
  Dims dims;
  for (Dim dim : *shape) dims.push_back(dim.size());
  return dims;
}

bool SameKnownType(const TensorType& a, const TensorType& b) {
  if (a.dtype == DType::kNone || a.dtype != b.dtype || !a.shape || !b.shape) return false;
  return std::equal(a.shape->begin(), a.shape->end(), b.shape->begin(), b.shape->end(),
                    [](Dim left, Dim right) { return left.Same(right); });
}

Shape ToShape(std::span<const int64_t> dims) { return Shape(dims.begin(), dims.end()); }

TensorType TypeOf(const Tensor& tensor) { return {tensor.dtype(), ToShape(tensor.shape())}; }

std::string TypeText(const TensorType& type, const std::vector<std::string>& symbols) {
  std::string text(DTypeName(type.dtype));
  if (!type.shape) return text;
  text += '[';
  for (size_t i = 0; i < type.shape->size(); ++i) {
    const Dim dim = (*type.shape)[i];
    if (i) text += ',';
    text += dim.known()       ? std::to_string(dim.size())
            : dim.is_symbol() ? symbols.at(dim.symbol())
                              : "?";
  }
  return text + ']';
}

}  // namespace pare::graph
