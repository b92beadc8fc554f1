#include "ops/grad.h"

namespace pare::ops {

Var GradContext::saved(int i) {
  if (!has_output(i)) {
    graph::Graph& graph = emit_.graph();
    graph.AddNodeOutput(id_, i, graph.FreshName(Text(NodePath(graph, node_), " output ", i)));
    own.outputs = graph.node(id_).outputs;
    KnownDims none;
    if (Status inferred = InferNode(graph, id_, none); !inferred) emit_.Fail(inferred.error());
  }
  return out(i);
}

Var GradContext::dy(int i) { return dy_[i] ? dy_[i] : emit_.Full(out_shape(i), 0); }

void GradContext::gives(int i, Var dx) {
  if (wants(i) && dx) dx_[i] = SumTo(dx, in_shape(i));
}

Status GradOfView(GradContext& context) {
  context.gives(0, Reshape(context.dy(), context.in_shape(0)));
  return {};
}

}  // namespace pare::ops
