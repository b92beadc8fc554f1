#include "passes/bind.h"

#include <algorithm>

#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::TensorType;
using graph::ValueId;

constexpr int64_t kUnbound = -1;

auto Mismatch(const Graph& graph, ValueId input, std::span<const int64_t> dims,
              std::string_view why) {
  const graph::Value& value = graph.value(input);
  return Fail(ErrorKind::kUsage,
              Text("the input \"", value.name, "\" is ", TypeText(value.type, graph.symbols()),
                   ", and ", DimsText(dims), " does not fit: ", why));
}

// What the shape of one input says of the symbols.
Status BindInput(const Graph& graph, ValueId input, std::span<const int64_t> dims,
                 std::vector<int64_t>& sizes) {
  const TensorType& type = graph.value(input).type;
  if (!type.shape) return {};
  if (type.shape->size() != dims.size()) return Mismatch(graph, input, dims, "the rank differs");
  for (size_t i = 0; i < dims.size(); ++i) {
    const Dim dim = (*type.shape)[i];
    if (dim.known() && dim.size() != dims[i]) {
      return Mismatch(graph, input, dims, Text("dimension ", i, " is fixed"));
    }
    if (!dim.is_symbol()) continue;
    int64_t& size = sizes[dim.symbol()];
    if (size != kUnbound && size != dims[i]) {
      return Mismatch(
          graph, input, dims,
          Text("\"", graph.symbols()[dim.symbol()], "\" is already ", size, " elsewhere"));
    }
    size = dims[i];
  }
  return {};
}

void Substitute(Graph& graph, const std::vector<int64_t>& sizes) {
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    TensorType type = graph.value(id).type;
    if (!type.shape || type.is_static()) continue;
    for (Dim& dim : *type.shape) {
      if (dim.is_symbol() && sizes[dim.symbol()] != kUnbound) dim = sizes[dim.symbol()];
    }
    graph.SetType(id, std::move(type));
  }
}

// What fails where sizes were free fails by the sizes that were given.
Error OfSizes(const Graph& graph, std::span<const Dims> shapes, const Error& error) {
  const bool fixed = std::ranges::all_of(
      graph.inputs(), [&](ValueId input) { return graph.value(input).type.is_static(); });
  if (fixed || error.kind() != ErrorKind::kInvalid) return error;
  std::string text;
  for (const Dims& dims : shapes) text += Text(text.empty() ? "" : ", ", DimsText(dims));
  return Error(ErrorKind::kUsage,
               Text("inputs of ", text, " don't fit the model: ", error.advise("").message()),
               "try other sizes: `pare inspect` shows which are free, and many models need "
               "multiples of 4 to 32");
}

}  // namespace

Result<Graph> BindShapes(const Graph& graph, std::span<const Dims> shapes) {
  const std::vector<ValueId>& inputs = graph.inputs();
  if (shapes.size() != inputs.size()) {
    return Fail(ErrorKind::kUsage, Text("the model has ", inputs.size(), " inputs, but shapes of ",
                                        shapes.size(), " were given"));
  }
  std::vector<int64_t> sizes(graph.symbols().size(), kUnbound);
  for (size_t i = 0; i < inputs.size(); ++i) {
    PARE_TRY(BindInput(graph, inputs[i], shapes[i], sizes));
  }
  Graph bound = graph;
  Substitute(bound, sizes);
  for (size_t i = 0; i < inputs.size(); ++i) {
    bound.SetType(inputs[i], {graph.value(inputs[i]).type.dtype, graph::ToShape(shapes[i])});
  }
  PassContext context(bound);
  if (const Status folded = FoldConstants(context); !folded)
    return Fail(OfSizes(graph, shapes, folded.error()));
  bound.RemoveDead();
  return bound;
}

}  // namespace pare::passes
