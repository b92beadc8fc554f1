#include "passes/passes.h"

namespace pare::passes {
namespace {

constexpr int64_t kLayerNormOpset = 17;

// Whether a ReduceMean goes over the last axis alone and keeps it.
bool OverLastAxis(const graph::Graph& graph, graph::ValueId value) {
  const graph::Node& node = *graph.producer_of(value);
  if (node.inputs.size() != 2 || !graph.is_constant(node.inputs[1])) return false;
  const graph::TensorType& type = graph.value(node.inputs[0]).type;
  const auto axes = ToInt64s(graph.value(node.inputs[1]).data);
  return axes && axes->size() == 1 && node.attrs.i("keepdims", 1) != 0 &&
         ((*axes)[0] == -1 || (type.has_rank() && (*axes)[0] == type.rank() - 1));
}

bool FormNorm(const Match& m, Patch& p) {
  const graph::TensorType& x = m.type("x");
  if (!x.has_rank() || x.rank() == 0) return false;
  const graph::Dim width = x.shape->back();
  const auto vector = [&](std::string_view name) {
    const graph::TensorType& type = m.type(name);
    return type.dtype == x.dtype && type.has_rank() && type.rank() == 1 &&
           (*type.shape)[0].Same(width);
  };
  if (!vector("scale") || !vector("bias")) return false;
  if (m.type("y").has_rank() && m.type("y").rank() != x.rank()) return false;  // ε has more
  const float epsilon = *ScalarOf(m.graph(), m["epsilon"]);
  return p.Replace(m["y"], NodeSpec{"LayerNormalization",
                                    {m["x"], m["scale"], m["bias"]},
                                    {{"axis", int64_t{-1}}, {"epsilon", epsilon}},
                                    m.node("y").name});
}

std::span<const Rule> Rules() {
  static const Pattern mean =
      Op({"ReduceMean"}, "mean")(Any("x"), Const("axes1")).Where(OverLastAxis);
  static const Pattern centred = Op({"Sub"}, "centred")(Any("x"), mean);
  static const auto deviation = [](const Pattern& square) {
    return Op({"Sqrt"})(
        Op({"Add"})(Op({"ReduceMean"}, "variance")(square, Const("axes2")).Where(OverLastAxis),
                    AnyScalar("epsilon")));
  };
  // As a parameter, too: a training step forms it as well.
  static const auto weight = [](std::string_view name) {
    return Any(name).Where([](const graph::Graph& graph, graph::ValueId id) {
      return graph.value(id).kind == graph::ValueKind::kParameter || graph.is_constant(id);
    });
  };
  static const auto norm = [](const Pattern& square) {
    return Op({"Add"}, "y")(
        Op({"Mul"})(Op({"Div"})(centred, deviation(square)).UsedOnce(), weight("scale")).UsedOnce(),
        weight("bias"));
  };
  static const Rule rules[] = {
      {"form-layer-norm-pow", norm(Op({"Pow"})(centred, Scalar(2))), FormNorm},
      {"form-layer-norm-mul", norm(Op({"Mul"})(centred, centred)), FormNorm},
  };
  return rules;
}

}  // namespace

Status FormLayerNorm(PassContext& context) { return Rewrite(context, Rules()); }

Status FormLayerNormOfOpset(PassContext& context) {
  const auto& opsets = context.graph().opsets;
  const auto standard = opsets.find("");
  const bool has = standard == opsets.end() || standard->second >= kLayerNormOpset;
  return has ? FormLayerNorm(context) : Status();
}

}  // namespace pare::passes
