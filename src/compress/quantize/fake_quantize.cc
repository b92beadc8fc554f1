#include "compress/quantize/fake_quantize.h"

#include <cmath>

#include "compress/quantize/domain.h"
#include "ops/node_view.h"
#include "ops/prepare.h"

namespace pare::compress {
namespace {

using graph::Attrs;
using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

class Inserter {
 public:
  explicit Inserter(const Quantization& from) : from_(from) { to_.graph = from.graph; }

  Result<FakeQuantized> Run() {
    for (const Layer& layer : from_.scheme.layers) {
      if (layer.integer && layer.weighted) InsertWeights(layer.node);
    }
    to_.of_groups.resize(from_.params.size());
    std::vector<bool> made(from_.params.size());
    for (const auto& [value, group] : from_.scheme.group_of) {
      if (!made[group])
        to_.of_groups[group] = AddScale(value, Tensor::Scalar(from_.params[group].scale));
      made[group] = true;
      InsertActivation(value, group);
    }
    ClipToDomains(graph());
    PARE_TRY(ops::InferTypes(to_.graph));
    return std::move(to_);
  }

 private:
  Graph& graph() { return to_.graph; }

  FakeQuantized::Scale AddScale(ValueId of, const Tensor& initial) {
    const std::string name = graph().value(of).name;
    const ValueId base = graph().AddConstant(graph().FreshName(name + "_scale_before"), initial);
    const ValueId ratio = graph().AddConstant(graph().FreshName(name + "_scale_ratio"),
                                              Tensor::Zeros(DType::kF32, initial.shape()).value());
    const NodeId factor = graph().AddNode("Exp", {ratio}, {name + "_scale_factor"});
    const NodeId scale =
        graph().AddNode("Mul", {base, graph().node(factor).outputs[0]}, {name + "_scale"});
    return {ratio, graph().node(scale).outputs[0]};
  }

  ValueId AddFakeQuantize(ValueId x, ValueId scale, Attrs attrs) {
    const std::string name = graph().value(x).name;
    const NodeId id = graph().AddNode("pare.FakeQuantize", {x, scale},
                                      {graph().FreshName(name + "_rounded")}, std::move(attrs));
    return graph().node(id).outputs[0];
  }

  void InsertWeights(NodeId node) {
    const QuantizedWeights& weights = *from_.weights.at(node);
    const int input = WeightInput(graph().node(node));
    const ValueId value = graph().node(node).inputs[input];
    const auto count = static_cast<int64_t>(weights.scales.size());
    const auto scale = AddScale(value, Tensor::Of<float>({count}, weights.scales));
    to_.of_weights[node] = scale;
    const int64_t largest = LargestLevel(weights.bits);
    Attrs attrs{{"axis", int64_t{weights.channel_axis}}, {"lo", -largest}, {"hi", largest}};
    if (weights.bits == 7) attrs.set("fit_pairs", int64_t{1});
    graph().SetInput(node, input, AddFakeQuantize(value, scale.scale, std::move(attrs)));
  }

  void InsertActivation(ValueId value, int group) {
    const std::vector<graph::Use> uses = graph().value(value).uses;
    const ValueId rounded =
        AddFakeQuantize(value, to_.of_groups[group].scale,
                        {{"lo", int64_t{0}},
                         {"hi", int64_t{255}},
                         {"zero_point", int64_t{from_.params[group].zero_point}}});
    for (const graph::Use& use : uses) graph().SetInput(use.node, use.input, rounded);
    // As an output, what is an input, too, stays what it is (as WriteQdq has it).
    if (graph().value(value).producer == NodeId::kNone) return;
    for (size_t i = 0; i < graph().outputs().size(); ++i) {
      if (graph().outputs()[i].value == value) graph().SetOutputValue(static_cast<int>(i), rounded);
    }
  }

  const Quantization& from_;
  FakeQuantized to_;
};

// base · e^r by the operators that the graph computes it with.
Result<Tensor> ScaleNow(const Graph& trained, const FakeQuantized::Scale& scale) {
  Graph own;
  const Node& mul = *trained.producer_of(scale.scale);
  const ValueId base = own.AddConstant("base", trained.value(mul.inputs[0]).data);
  const ValueId ratio = own.AddConstant("ratio", trained.value(scale.ratio).data);
  const NodeId exp = own.AddNode("Exp", {ratio}, {"factor"});
  const ValueId factor = own.node(exp).outputs[0];
  const NodeId product = own.AddNode("Mul", {base, factor}, {"scale"});
  PARE_TRY(ops::InferTypes(own));
  PARE_ASSIGN(auto factors, ops::Evaluate(own, own.node(exp)));
  own.MakeConstant(factor, std::move(factors[0]));
  PARE_ASSIGN(auto scales, ops::Evaluate(own, own.node(product)));
  return std::move(scales[0]);
}

}  // namespace

std::vector<std::string> FakeQuantized::Ratios() const {
  std::vector<std::string> names;
  for (const Scale& scale : of_groups) names.push_back(graph.value(scale.ratio).name);
  for (const auto& [node, scale] : of_weights) names.push_back(graph.value(scale.ratio).name);
  return names;
}

Result<FakeQuantized> InsertFakeQuantize(const Quantization& quantization) {
  return Inserter(quantization).Run();
}

Result<Quantization> TakeFakeQuantize(const Quantization& quantization,
                                      const FakeQuantized& inserted, const Graph& trained) {
  Quantization taken = quantization;
  for (size_t i = 0; i < taken.graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    if (taken.graph.is_constant(id) && trained.is_constant(id))
      taken.graph.SetConstant(id, trained.value(id).data);
  }
  for (size_t group = 0; group < taken.params.size(); ++group) {
    PARE_ASSIGN(const Tensor scale, ScaleNow(trained, inserted.of_groups[group]));
    taken.params[group].scale = scale.as<float>()[0];
  }
  for (const auto& [node, at] : inserted.of_weights) {
    PARE_ASSIGN(const Tensor scale, ScaleNow(trained, at));
    const QuantizedWeights& before = *quantization.weights.at(node);
    const Node& layer = taken.graph.node(node);
    const Tensor& weights = taken.graph.value(layer.inputs[WeightInput(layer)]).data;
    const auto scales = scale.as<float>();
    taken.weights[node] = std::make_shared<const QuantizedWeights>(
        RoundWeights(weights, before.channel_axis, before.bits, {scales.begin(), scales.end()}));
  }
  return taken;
}

}  // namespace pare::compress
