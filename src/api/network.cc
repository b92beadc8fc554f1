#include <algorithm>
#include <cmath>
#include <set>

#include "api/access.h"
#include "base/random.h"
#include "ops/emit.h"
#include "pare/train.h"

namespace pare {

struct NetworkImpl {
  explicit NetworkImpl(uint64_t seed)
      : random(seed), batch(graph::Dim::Symbol(graph.AddSymbol("N"))) {
    graph.opsets[""] = 20;
    graph.name = "network";
  }

  // Normal with variance 2 / fan-in.
  ops::Var Weight(std::string_view name, const Dims& shape, int64_t fan_in) {
    const float deviation = std::sqrt(2.0f / static_cast<float>(std::max<int64_t>(1, fan_in)));
    return Stored(name, shape, [&] { return deviation * random.Normal(); });
  }
  ops::Var Filled(std::string_view name, const Dims& shape, float value) {
    return Stored(name, shape, [&] { return value; });
  }

  graph::Graph graph;
  Random random;
  graph::Dim batch;
  ops::KnownDims dims;
  ops::Emitter emit{graph, dims, ops::Emitter::Shapes::kRanked};

 private:
  template <typename Next>
  ops::Var Stored(std::string_view name, const Dims& shape, Next next) {
    auto tensor = Tensor::Make(DType::kF32, shape);
    if (!tensor) {
      emit.Fail(tensor.error());
      return {};
    }
    for (float& x : tensor->mutable_as<float>()) x = next();
    return emit.Of(graph.AddConstant(graph.FreshName(name), *tensor));
  }
};

struct ValueImpl {
  std::shared_ptr<NetworkImpl> network;
  ops::Var var;
};

struct NetworkAccess {
  static Value Wrap(std::shared_ptr<NetworkImpl> network, ops::Var var) {
    Value value;
    if (var) value.impl_ = std::make_shared<const ValueImpl>(ValueImpl{network, var});
    return value;
  }
  // Nothing where an earlier formula failed.
  static ops::Var Of(const Value& value) { return value.impl_ ? value.impl_->var : ops::Var(); }
  // And nothing, an error of `network`, where the value is another's, or none.
  static ops::Var Of(const Value& value, NetworkImpl& network) {
    if (!value.impl_ && network.emit.status()) {
      network.emit.Fail(Error(ErrorKind::kUsage, "a layer or an output takes a value that is none",
                              "values are what Input, layers and formulas give"));
    }
    if (!value.impl_ || value.impl_->network.get() == &network) return Of(value);
    network.emit.Fail(Error(ErrorKind::kUsage, "a layer takes a value of another network",
                            "a formula is of one network"));
    return {};
  }
  static const std::shared_ptr<NetworkImpl>& NetworkOf(const Value& value) {
    return value.impl_->network;
  }
};

namespace {

using graph::Attrs;
using graph::Ints;
using ops::Var;

Value Apply(std::string op, const std::vector<Value>& operands, Attrs attrs = {}) {
  std::vector<Var> vars;
  for (const Value& operand : operands) {
    vars.push_back(NetworkAccess::Of(operand));
    if (!vars.back()) return {};
  }
  const auto& network = NetworkAccess::NetworkOf(operands[0]);
  for (const Value& operand : operands) {
    const auto& other = NetworkAccess::NetworkOf(operand);
    if (other == network) continue;
    const Error mixed(ErrorKind::kUsage, Text(op, " takes values of two networks"),
                      "a formula is of one network");
    network->emit.Fail(mixed);
    other->emit.Fail(mixed);
    return {};
  }
  return NetworkAccess::Wrap(network, network->emit.Add(std::move(op), vars, std::move(attrs)));
}

// The size of a dimension that weights are made for; 0, and an error of the network, where it is
// free or not there.
int64_t SizeOf(Var x, int axis, std::string_view what) {
  const graph::TensorType type = x.type();
  const int rank = type.rank(), at = axis < 0 ? axis + rank : axis;
  if (at >= 0 && at < rank && (*type.shape)[at].known()) return (*type.shape)[at].size();
  x.emitter().Fail(
      Error(ErrorKind::kUsage, Text(what, " needs a value whose dimension ", axis, " is known")));
  return 0;
}

std::string Quoted(std::string_view name) { return Text('"', name, '"'); }

// A graph would give it another name in silence.
Status CheckInputName(const graph::Graph& graph, const std::string& name) {
  if (name.empty())
    return Fail(ErrorKind::kUsage, "an input has no name", "Input(name, shape) names it");
  if (graph.FindValue(name) == graph::ValueId::kNone) return {};
  return Fail(ErrorKind::kUsage,
              Text("an input is called ", Quoted(name), ", and so is ",
                   graph.is_constant(graph.FindValue(name)) ? "a weight of a layer before it"
                                                            : "another value of the network"),
              "each input has a name of its own");
}

Status CheckOutputNames(const graph::Graph& graph) {
  std::set<std::string_view> names;
  for (const graph::Output& output : graph.outputs()) {
    if (output.name.empty())
      return Fail(ErrorKind::kUsage, "an output has no name", "Output(name, value) names it");
    const graph::ValueId same = graph.FindValue(output.name);
    const auto& inputs = graph.inputs();
    if (std::ranges::find(inputs, same) != inputs.end()) {
      return Fail(ErrorKind::kUsage, Text("an output is called as the input ", Quoted(output.name)),
                  "each output has a name of its own");
    }
    if (!names.insert(output.name).second) {
      return Fail(ErrorKind::kUsage, Text("two outputs are called ", Quoted(output.name)),
                  "each output has a name of its own");
    }
  }
  return {};
}

}  // namespace

Value operator+(Value a, Value b) { return Apply("Add", {a, b}); }
Value operator-(Value a, Value b) { return Apply("Sub", {a, b}); }
Value operator*(Value a, Value b) { return Apply("Mul", {a, b}); }
Value MatMul(Value a, Value b) { return Apply("MatMul", {a, b}); }
Value Relu(Value x) { return Apply("Relu", {x}); }
Value Gelu(Value x) { return Apply("Gelu", {x}); }
Value Sigmoid(Value x) { return Apply("Sigmoid", {x}); }
Value Tanh(Value x) { return Apply("Tanh", {x}); }
Value Softmax(Value x) { return Apply("Softmax", {x}, {{"axis", int64_t{-1}}}); }
Value MaxPool(Value x, int size) {
  const Ints window{size, size};
  return Apply("MaxPool", {x}, {{"kernel_shape", window}, {"strides", window}});
}
Value GlobalAveragePool(Value x) { return Flatten(Apply("GlobalAveragePool", {x})); }
Value Flatten(Value x) { return Apply("Flatten", {x}); }

Network::Network(uint64_t seed) : impl_(std::make_shared<NetworkImpl>(seed)) {}
Network::~Network() = default;

Value Network::Input(const std::string& name, const std::vector<int64_t>& shape) {
  if (const Status named = CheckInputName(impl_->graph, name); !named) {
    impl_->emit.Fail(named.error());
    return {};
  }
  graph::Shape dims{impl_->batch};
  for (int64_t size : shape) dims.push_back(size < 0 ? graph::Dim::Unknown() : graph::Dim(size));
  return NetworkAccess::Wrap(impl_,
                             impl_->emit.Of(impl_->graph.AddInput(name, {DType::kF32, dims})));
}

Value Network::Linear(Value x, int64_t outputs) {
  const Var in = NetworkAccess::Of(x, *impl_);
  if (!in) return {};
  const int64_t inputs = SizeOf(in, -1, "Linear");
  const Var w = impl_->Weight("linear.weight", {inputs, outputs}, inputs);
  const Var b = impl_->Filled("linear.bias", {outputs}, 0);
  if (in.rank() == 2) return NetworkAccess::Wrap(impl_, impl_->emit.Add("Gemm", {in, w, b}));
  return NetworkAccess::Wrap(impl_, impl_->emit.Add("MatMul", {in, w}) + b);
}

Value Network::Conv(Value x, int64_t channels, int64_t size, int64_t stride, int64_t groups) {
  const Var in = NetworkAccess::Of(x, *impl_);
  if (!in) return {};
  const int64_t inputs = SizeOf(in, 1, "Conv") / std::max<int64_t>(1, groups);
  const Var w = impl_->Weight("conv.weight", {channels, inputs, size, size}, inputs * size * size);
  const Var b = impl_->Filled("conv.bias", {channels}, 0);
  return NetworkAccess::Wrap(
      impl_, impl_->emit.Add(
                 "Conv", {in, w, b},
                 {{"pads", Ints(4, size / 2)}, {"strides", Ints(2, stride)}, {"group", groups}}));
}

Value Network::BatchNorm(Value x) {
  const Var in = NetworkAccess::Of(x, *impl_);
  if (!in) return {};
  const Dims shape{SizeOf(in, 1, "BatchNorm")};
  std::vector<Var> operands{in};
  for (const auto& [name, value] : {std::pair("norm.scale", 1.0f), std::pair("norm.bias", 0.0f),
                                    std::pair("norm.mean", 0.0f), std::pair("norm.variance", 1.0f)})
    operands.push_back(impl_->Filled(name, shape, value));
  return NetworkAccess::Wrap(impl_, impl_->emit.Add("BatchNormalization", operands));
}

Value Network::LayerNorm(Value x) {
  const Var in = NetworkAccess::Of(x, *impl_);
  if (!in) return {};
  const Dims shape{SizeOf(in, -1, "LayerNorm")};
  return NetworkAccess::Wrap(
      impl_, impl_->emit.Add("LayerNormalization", {in, impl_->Filled("norm.scale", shape, 1),
                                                    impl_->Filled("norm.bias", shape, 0)}));
}

void Network::Output(const std::string& name, Value value) {
  const Var out = NetworkAccess::Of(value, *impl_);
  if (out) impl_->graph.AddOutput(out.id(), name);
}

Result<Model> Network::Build() const {
  PARE_TRY(impl_->emit.status());
  if (impl_->graph.outputs().empty())
    return Fail(ErrorKind::kUsage, "the network has no output", "Output(name, value) names one");
  PARE_TRY(CheckOutputNames(impl_->graph));
  return Access::Make({{}, impl_->graph, {}, 0});
}

}  // namespace pare
