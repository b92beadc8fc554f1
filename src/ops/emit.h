// Adds nodes to a graph the way mathematics is written: gradients, losses and updates are made with
// it.
//
//   Var p = Exp(x - ReduceMax(x, {1}));
//   return p / ReduceSum(p, {1});
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ops/node_view.h"

namespace pare::ops {

class Emitter;

// A value of the graph, with the emitter that computes on it. Types are static. Operands broadcast
// as NumPy's. A Var without a value stands for "nothing": no gradient, an absent operand.
class Var {
 public:
  Var() = default;
  Var(Emitter& emitter, graph::ValueId id) : emitter_(&emitter), id_(id) {}

  explicit operator bool() const { return id_ != graph::ValueId::kNone; }
  graph::ValueId id() const { return id_; }
  Emitter& emitter() const { return *emitter_; }
  graph::TensorType type() const;
  Dims dims() const { return type().dims(); }
  int rank() const { return type().rank(); }

 private:
  Emitter* emitter_ = nullptr;
  graph::ValueId id_ = graph::ValueId::kNone;
};

// The first error stays in status(); what is emitted after it is nothing.
class Emitter {
 public:
  // Of what is emitted: static shapes, or at least a rank.
  enum class Shapes : uint8_t { kStatic, kRanked };

  Emitter(graph::Graph& graph, KnownDims& dims, Shapes shapes = Shapes::kStatic)
      : graph_(graph), dims_(dims), shapes_(shapes) {}

  graph::Graph& graph() { return graph_; }
  const Status& status() const { return status_; }
  void Fail(Error error);
  // What new nodes come from ("the gradient of …"): names of nodes and values begin with it.
  void set_origin(std::string origin) { origin_ = std::move(origin); }

  Var Of(graph::ValueId id) { return {*this, id}; }
  Var Constant(Tensor data);
  Var Scalar(float value) { return Constant(Tensor::Scalar(value)); }
  Var Ints(const std::vector<int64_t>& values);
  // f32 of `shape`, all `value`.
  Var Full(const Dims& shape, float value);

  // A node; its first output.
  Var Add(std::string op, const std::vector<Var>& inputs, graph::Attrs attrs = {});
  // A node with that many outputs.
  std::vector<Var> AddMany(std::string op, const std::vector<Var>& inputs, int outputs,
                           graph::Attrs attrs = {});

 private:
  graph::Graph& graph_;
  KnownDims& dims_;
  Shapes shapes_;
  Status status_;
  std::string origin_ = "emitted";
};

Var operator+(Var a, Var b);
Var operator-(Var a, Var b);
Var operator*(Var a, Var b);
Var operator/(Var a, Var b);
Var operator-(Var a);
Var operator+(Var a, float b);
Var operator-(Var a, float b);
Var operator-(float a, Var b);
Var operator*(Var a, float b);
Var operator/(float a, Var b);

// One operand, the operator's name.
Var Apply(std::string_view op, Var x);
inline Var Exp(Var x) { return Apply("Exp", x); }
inline Var Log(Var x) { return Apply("Log", x); }
inline Var Sqrt(Var x) { return Apply("Sqrt", x); }
inline Var Abs(Var x) { return Apply("Abs", x); }
inline Var Sign(Var x) { return Apply("Sign", x); }

// Truth values, and what they choose.
Var Less(Var a, Var b);
Var Equal(Var a, Var b);
Var Where(Var condition, Var yes, Var no);
// f32: 1 where true.
Var ToF32(Var x);

enum class KeepDims : uint8_t { kNo, kYes };
// No axes: all of them.
Var ReduceSum(Var x, const std::vector<int64_t>& axes = {}, KeepDims keep = KeepDims::kYes);
Var ReduceMean(Var x, const std::vector<int64_t>& axes = {}, KeepDims keep = KeepDims::kYes);
// The sum over everything that broadcasting repeated: x as `shape`.
Var SumTo(Var x, const Dims& shape);
Var ExpandTo(Var x, const Dims& shape);
Var Reshape(Var x, const Dims& shape);
Var Transpose(Var x, const std::vector<int64_t>& perm);
// The last two axes exchanged.
Var TransposeMatrix(Var x);
Var MatMul(Var a, Var b);
Var Concat(const std::vector<Var>& parts, int64_t axis);
// x[…, begin:end, …] along one axis.
Var SliceAxis(Var x, int64_t axis, int64_t begin, int64_t end);
Var LogSoftmax(Var x, int64_t axis);
// Zeros before and behind each axis; a negative number cuts elements off.
Var PadZeros(Var x, const Dims& begins, const Dims& ends);
// Zeros of `size` along the axis, to which each slice of x is added at its index. The indices are
// one-dimensional.
Var SumAt(Var x, Var indices, int64_t axis, int64_t size);

}  // namespace pare::ops
