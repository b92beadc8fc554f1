// Reverse-mode differentiation, one operator at a time: what a record's `grad.emit` may read and
// what it gives. train/autodiff.h walks the graph.
//
// A record that writes y = f(x) emits nodes that compute dx = (∂y/∂x)ᵀ · dy, where dy is the
// gradient of a scalar loss by y.
#pragma once

#include "ops/emit.h"
#include "ops/op_def.h"

namespace pare::ops {

// The graph grows while gradients are emitted: a context keeps a node of its own.
struct OwnNode {
  graph::Node own;
};

class GradContext : private OwnNode, public NodeView {
 public:
  // `output_gradients`: one for each output, nothing where the loss does not depend on it;
  // `wanted`: which inputs need a gradient. All types are static.
  GradContext(Emitter& emit, graph::NodeId node, std::vector<Var> output_gradients,
              std::vector<bool> wanted)
      : OwnNode{emit.graph().node(node)},
        NodeView(emit.graph(), own),
        emit_(emit),
        id_(node),
        dy_(std::move(output_gradients)),
        wanted_(std::move(wanted)),
        dx_(wanted_.size()) {}

  Emitter& emit() { return emit_; }
  bool wants(int i) const { return wanted_[i]; }

  Var in(int i) { return has_input(i) ? emit_.Of(node_.inputs[i]) : Var(); }
  Var out(int i = 0) { return emit_.Of(node_.outputs[i]); }
  // An optional output that the backward pass needs (statistics, places): added to the node where
  // it does not have it yet.
  Var saved(int i);
  // The gradient of output i; zeros where the loss does not depend on it.
  Var dy(int i = 0);
  bool has_dy(int i) const { return static_cast<bool>(dy_[i]); }
  Dims in_shape(int i) const { return input(i).dims(); }
  Dims out_shape(int i = 0) const { return output(i).dims(); }

  // The gradient of input i, of its type or broadcast from it (then summed). One that nobody wants
  // is dropped.
  void gives(int i, Var dx);
  const std::vector<Var>& given() const { return dx_; }

 private:
  Emitter& emit_;
  graph::NodeId id_;
  std::vector<Var> dy_;
  std::vector<bool> wanted_;
  std::vector<Var> dx_;
};

// dx has the elements of dy in the same order: for operators that only view.
Status GradOfView(GradContext& context);

}  // namespace pare::ops
