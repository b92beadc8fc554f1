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

// Sizes that the file leaves free are the caller's choice: what can't be computed with them is no
// damage of the file.
Error OfShapes(const Graph& graph, std::span<const Dims> shapes, const Error& error) {
  const auto is_static = [&](ValueId input) { return graph.value(input).type.is_static(); };
  if (error.kind() != ErrorKind::kInvalid || std::ranges::all_of(graph.inputs(), is_static))
    return error;
  std::string given;
  bool empty = false;
  for (size_t i = 0; i < shapes.size(); ++i) {
    given += Text(i == 0 ? "" : ", ", '"', graph.value(graph.inputs()[i]).name, "\" ",
                  DimsText(shapes[i]));
    empty = empty || std::ranges::count(shapes[i], 0) > 0;
  }
  const std::string message = error.message();
  return {ErrorKind::kUsage,
          Text(message.substr(0, message.find('\n')),
               empty ? "; an input is empty: " : "; these sizes do not fit: ", given),
          empty ? "give at least one sample, and no size of 0"
                : "other sizes may: those of the export, or multiples of 4 or 32 where a network "
                  "halves its pictures; `pare inspect` shows the inputs"};
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
    return Fail(OfShapes(graph, shapes, folded.error()));
  bound.RemoveDead();
  return bound;
}

}  // namespace pare::passes
