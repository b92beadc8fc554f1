// CPUs without 16-bit arithmetic compute in f32: a graph of f16 or bf16 values becomes one of f32,
// with Casts where values enter and leave. f64 stays where every operator has it, which the
// products have not.
#include <algorithm>

#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

class Widening {
 public:
  Widening(PassContext& context, DType from)
      : context_(context), graph_(context.graph()), from_(from) {}

  Status Run() {
    if (!Found() || !context_.Allow("compute-in-f32")) return {};
    for (size_t i = 0; i < graph_.value_count(); ++i) {
      PARE_TRY(WidenStored(static_cast<ValueId>(i)));
    }
    for (NodeId id : graph_.Order()) PARE_TRY(WidenNode(id));
    const std::vector<ValueId> inputs = graph_.inputs();
    for (ValueId input : inputs) {
      if (graph_.value(input).type.dtype == from_) CastInput(input);
    }
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      const graph::Output output = graph_.outputs()[i];
      if (output_was_narrow_[i]) CastOutput(static_cast<int>(i), output.value);
    }
    return context_.Infer();
  }

 private:
  // Remembers which outputs are of the type.
  bool Found() {
    bool found = false;
    for (const graph::Output& output : graph_.outputs()) {
      output_was_narrow_.push_back(graph_.value(output.value).type.dtype == from_);
    }
    for (NodeId id : graph_.Order()) {
      const Node& node = graph_.node(id);
      // A Cast between the types is no computing; the ones at the edges stay for good.
      if (node.op == "Cast" || (from_ == DType::kF64 && !NeedsF32(node.op))) continue;
      for (ValueId input : node.inputs) {
        found = found || (input != ValueId::kNone && graph_.value(input).type.dtype == from_);
      }
    }
    return found;
  }

  static bool NeedsF32(std::string_view op) {
    return op == "Conv" || op == "ConvTranspose" || op == "Gemm" || op.ends_with("Pool") ||
           op.ends_with("Normalization");
  }

  Status WidenStored(ValueId id) {
    const graph::Value& value = graph_.value(id);
    if (value.kind != graph::ValueKind::kConstant || value.data.dtype() != from_) return {};
    PARE_ASSIGN(Tensor wide, Cast(value.data, DType::kF32));
    graph_.SetConstant(id, std::move(wide));
    return {};
  }

  Status WidenNode(NodeId id) {
    Node& node = graph_.mutable_node(id);
    const int onnx = DTypeToOnnx(from_), wide = DTypeToOnnx(DType::kF32);
    for (std::string_view attribute : {"to", "dtype", "output_dtype"}) {
      if (node.attrs.i(attribute, 0) == onnx) node.attrs.set(attribute, int64_t{wide});
    }
    const Tensor value = node.attrs.tensor("value");
    if (value && value.dtype() == from_) {
      PARE_ASSIGN(Tensor converted, Cast(value, DType::kF32));
      node.attrs.set("value", std::move(converted));
    }
    return {};
  }

  void CastInput(ValueId input) {
    if (graph_.value(input).uses.empty()) return;
    const std::vector<graph::Use> uses = graph_.value(input).uses;
    const int64_t to = DTypeToOnnx(DType::kF32);
    const NodeId cast = graph_.AddNode(
        "Cast", {input}, {graph_.FreshName(graph_.value(input).name + ".f32")}, {{"to", to}});
    const ValueId wide = graph_.node(cast).outputs[0];
    for (const graph::Use& use : uses) graph_.SetInput(use.node, use.input, wide);
  }

  void CastOutput(int index, ValueId value) {
    // An input that is an output has kept its type.
    if (graph_.value(value).kind == graph::ValueKind::kInput) return;
    const int64_t to = DTypeToOnnx(from_);
    const NodeId cast = graph_.AddNode(
        "Cast", {value},
        {graph_.FreshName(graph_.value(value).name + "." + std::string(DTypeName(from_)))},
        {{"to", to}});
    graph_.SetOutputValue(index, graph_.node(cast).outputs[0]);
  }

  PassContext& context_;
  Graph& graph_;
  DType from_;
  std::vector<bool> output_was_narrow_;
};

}  // namespace

Status ComputeInF32(PassContext& context) {
  for (DType from : {DType::kF16, DType::kBF16, DType::kF64}) {
    PARE_TRY(Widening(context, from).Run());
  }
  return {};
}

}  // namespace pare::passes
