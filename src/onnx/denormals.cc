#include "onnx/denormals.h"

#include <algorithm>
#include <cmath>

#include "onnx/messages.h"

namespace pare::onnx {
namespace {

template <typename T>
int64_t Count(const Tensor& tensor) {
  const auto values = tensor.as<T>();
  return std::count_if(values.begin(), values.end(),
                       [](T value) { return std::fpclassify(value) == FP_SUBNORMAL; });
}

int64_t Denormals(const Tensor& tensor) {
  if (tensor.dtype() == DType::kF32) return Count<float>(tensor);
  if (tensor.dtype() == DType::kF64) return Count<double>(tensor);
  return 0;  // f16's become normal numbers of f32
}

}  // namespace

std::string DenormalNote(const graph::Graph& graph) {
  int64_t numbers = 0, tensors = 0;
  std::string first;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const graph::Value& value = graph.value(static_cast<graph::ValueId>(i));
    if (!value.data || value.uses.empty()) continue;
    const int64_t count = Denormals(value.data);
    if (count == 0) continue;
    numbers += count;
    if (tensors++ == 0) first = Printable(value.name);
  }
  if (numbers == 0) return "";
  return Text(numbers, numbers == 1 ? " weight is" : " weights are", " denormal, first in \"",
              first, "\"", tensors > 1 ? Text(" of ", tensors, " tensors") : "",
              ": pare computes with zero there");
}

}  // namespace pare::onnx
