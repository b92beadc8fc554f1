#include "train/autodiff.h"

#include <algorithm>

#include "ops/grad.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;
using ops::Var;

size_t Index(ValueId id) { return static_cast<size_t>(id); }

class Reverse {
 public:
  Reverse(ops::Emitter& emit, ValueId loss)
      : emit_(emit),
        graph_(emit.graph()),
        order_(graph_.Order()),
        moved_(graph_.value_count(), false),
        gradients_(graph_.value_count()) {
    emit_.set_origin("gradient");
    const Dims shape = graph_.value(loss).type.dims();
    gradients_[Index(loss)] = emit_.Constant(Tensor::Of<float>(shape, {1.0f}));
  }

  Status Run(std::span<const ValueId> wrt) {
    FindMoved(wrt);
    for (auto id = order_.rbegin(); id != order_.rend(); ++id) {
      if (IsReached(*id)) PARE_TRY(Visit(*id));
    }
    return emit_.status();
  }

  ValueId GradientOf(ValueId id) const { return gradients_[Index(id)].id(); }

 private:
  // Which values move when one of `wrt` does.
  void FindMoved(std::span<const ValueId> wrt) {
    for (ValueId id : wrt) moved_[Index(id)] = true;
    for (NodeId id : order_) {
      const Node& node = graph_.node(id);
      const bool moves = std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId input) {
        return input != ValueId::kNone && moved_[Index(input)];
      });
      for (ValueId output : node.outputs) {
        if (output != ValueId::kNone && moves && IsFloat(graph_.value(output).type.dtype))
          moved_[Index(output)] = true;
      }
    }
  }

  // Whether the loss depends on the node, and the node on what moves.
  bool IsReached(NodeId id) const {
    const Node& node = graph_.node(id);
    return std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return output != ValueId::kNone && moved_[Index(output)] && gradients_[Index(output)];
    });
  }

  Status Visit(NodeId id) {
    const Node node = graph_.node(id);  // a copy: the graph grows
    const std::string path = ops::NodePath(graph_, node);
    const ops::OpDef* op = ops::FindOp(node.op);
    if (!op || !op->grad.emit) {
      return Fail(Error(ErrorKind::kUnsupported,
                        Text("it has no gradient: ",
                             op ? op->grad.none : std::string_view("pare has no such operator")),
                        "freeze the parameters before it (--freeze), or train a model without it")
                      .at(path));
    }
    std::vector<Var> output_gradients;
    for (ValueId output : node.outputs)
      output_gradients.push_back(output == ValueId::kNone ? Var() : gradients_[Index(output)]);
    std::vector<bool> wanted;
    for (ValueId input : node.inputs)
      wanted.push_back(input != ValueId::kNone && moved_[Index(input)]);
    emit_.set_origin(Text("gradient.", node.name.empty() ? node.op : node.name));
    ops::GradContext context(emit_, id, std::move(output_gradients), std::move(wanted));
    Status status = op->grad.emit(context);
    if (status) status = emit_.status();
    if (!status) return Fail(status.error().at("its gradient").at(path));
    for (size_t i = 0; i < node.inputs.size(); ++i) Collect(node.inputs[i], context.given()[i]);
    return {};
  }

  void Collect(ValueId input, Var dx) {
    if (!dx) return;
    Var& sum = gradients_[Index(input)];
    sum = sum ? sum + dx : dx;
  }

  ops::Emitter& emit_;
  Graph& graph_;
  std::vector<NodeId> order_;
  std::vector<bool> moved_;     // by value, of those before differentiation
  std::vector<Var> gradients_;  // by value
};

}  // namespace

Result<std::vector<ValueId>> Differentiate(ops::Emitter& emit, ValueId loss,
                                           std::span<const ValueId> wrt) {
  const graph::TensorType& type = emit.graph().value(loss).type;
  if (type.dtype != DType::kF32 || !type.is_static() || CountOf(type.dims()).value_or(0) != 1)
    return Fail(ErrorKind::kInternal, "the loss must be one f32 number");
  Reverse reverse(emit, loss);
  PARE_TRY(reverse.Run(wrt));
  std::vector<ValueId> gradients;
  for (ValueId id : wrt) gradients.push_back(reverse.GradientOf(id));
  return gradients;
}

}  // namespace pare::train
