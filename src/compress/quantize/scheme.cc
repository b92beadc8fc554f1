#include "compress/quantize/scheme.h"

#include <algorithm>

#include "base/glob.h"
#include "compress/bias_of_product.h"
#include "compress/disjoint_sets.h"
#include "compress/layers.h"
#include "compress/quantize/write_qdq.h"
#include "ops/op_def.h"
#include "ops/pool.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;
using ops::OpDef;
using ops::Role;

bool IsAverage(const Node& node) {
  return node.op == "AveragePool" || node.op == "GlobalAveragePool";
}

bool MatchesName(const Graph& graph, const Node& node, const std::string& pattern) {
  return MatchesGlob(pattern, node.name) ||
         (node.outputs[0] != ValueId::kNone &&
          MatchesGlob(pattern, graph.value(node.outputs[0]).name));
}

class SchemeMaker {
 public:
  SchemeMaker(const Graph& graph, const SchemeOptions& options)
      : graph_(graph), options_(options), sets_(graph.value_count()) {}

  Scheme Run() {
    order_ = graph_.Order();
    for (NodeId id : order_) AddLayer(id);
    // Giving a layer back can leave another without an integer consumer: repeat until nothing
    // changes.
    while (MarkNeeded()) {
    }
    ChooseValues();
    NumberGroups();
    return std::move(scheme_);
  }

 private:
  const OpDef* Op(NodeId id) const { return ops::FindOp(graph_.node(id).op); }

  Role RoleOf(const OpDef& op, size_t input) const {
    // A variadic operand repeats the role of its slot.
    size_t slot = std::min<size_t>(input, ops::kMaxSlots - 1);
    while (slot > 0 && op.inputs[slot].name.empty()) --slot;
    return op.quant.inputs[slot].role;
  }

  bool IsFloatValue(ValueId id) const { return graph_.value(id).type.dtype == DType::kF32; }

  // The only node that reads `value`, where nothing outside does.
  const Node* OnlyConsumer(ValueId value) const {
    const auto& uses = graph_.value(value).uses;
    return uses.size() == 1 && !graph_.is_output(value) ? &graph_.node(uses[0].node) : nullptr;
  }

  // Where the result of a node is quantized, or would be: after the bias and the clamp that it
  // absorbs.
  ValueId PointOf(NodeId id) const {
    const NodeId bias = BiasAddOf(graph_, id);
    const ValueId output = graph_.node(bias == NodeId::kNone ? id : bias).outputs[0];
    if (output == ValueId::kNone) return output;
    const Node* next = OnlyConsumer(output);
    const bool absorbs =
        next && next->inputs[0] == output && IsClamp(*next) && AbsorbsClamp(graph_.node(id));
    return absorbs ? next->outputs[0] : output;
  }
  // The product whose bias an Add is; kNone of any other node.
  NodeId ProductOfBias(NodeId id) const {
    if (graph_.node(id).op != "Add") return NodeId::kNone;
    for (const ValueId input : graph_.node(id).inputs) {
      const NodeId producer = graph_.value(input).producer;
      if (producer != NodeId::kNone && BiasAddOf(graph_, producer) == id) return producer;
    }
    return NodeId::kNone;
  }
  // The layer that a bias or a clamp belongs to, in integers and in float: no layer of its own.
  // kNone of any other node.
  NodeId OwnerOf(NodeId id) const {
    const Node& node = graph_.node(id);
    if (!IsClamp(node)) return ProductOfBias(id);
    const NodeId producer = graph_.value(node.inputs[0]).producer;
    if (producer == NodeId::kNone) return producer;
    const NodeId product = ProductOfBias(producer);
    const NodeId owner = product == NodeId::kNone ? producer : product;
    return PointOf(owner) == node.outputs[0] ? owner : NodeId::kNone;
  }
  bool IsAbsorbed(NodeId id) const { return OwnerOf(id) != NodeId::kNone; }
  bool IsInteger(NodeId id) const {
    const NodeId owner = OwnerOf(id);
    return integer_[static_cast<size_t>(owner == NodeId::kNone ? id : owner)];
  }

  // Of a product a matrix, of a convolution at most two axes of pixels: what the passes lower.
  static bool HasIntegerShape(const Node& node, const Tensor& weights) {
    return node.op == "Conv" ? weights.rank() <= 4 : weights.rank() == 2;
  }

  // nullptr where there is none, and of all other nodes.
  const char* ObstacleOfPool(const Node& node) const {
    if (!IsAverage(node)) return nullptr;
    if (ops::LeavesTapsOut(node.attrs))
      return "an average that counts its padding, with ceil_mode, has no integer form";
    const graph::TensorType& x = graph_.value(node.inputs[0]).type;
    return !x.has_rank() || x.rank() > 4 ? "an average over this many axes has no integer form"
                                         : nullptr;
  }

  // Why the node can't be integer by its own nature; empty where it can.
  std::string Obstacle(const Node& node, const OpDef& op) const {
    if (!op.quant.integer) return std::string(op.quant.keep_float);
    if (node.op == "Gemm" && (node.attrs.f("alpha", 1) != 1 || node.attrs.f("beta", 1) != 1 ||
                              node.attrs.i("transA", 0)))
      return "its alpha, beta or transA has no integer form";
    if (const char* pooling = ObstacleOfPool(node)) return pooling;
    bool activation = false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == ValueId::kNone) continue;
      const Role role = RoleOf(op, i);
      const bool constant = graph_.is_constant(node.inputs[i]);
      if (role != Role::kNone && !IsFloatValue(node.inputs[i]))
        return "it doesn't compute in float32";
      if (role == Role::kWeight && !constant) {
        return graph_.is_constant(node.inputs[0])
                   ? "its weights are on the left, where they have no integer form"
                   : "both operands are computed: there are no weights";
      }
      if (role == Role::kWeight && !HasIntegerShape(node, graph_.value(node.inputs[i]).data))
        return "weights of this shape have no integer form";
      if (role == Role::kWeight && ProductsOf(graph_, node) > kMostProducts)
        return Text("sums of more than ", kMostProducts, " products can leave 32 bits");
      if (role == Role::kBias && !constant) return "its bias is computed while the model runs";
      // Its integers have the scales of the weights' channels.
      if (role == Role::kBias && !IsBiasOfChannels(graph_, node, i))
        return "its bias is not one number for each output channel";
      activation |= role == Role::kActivation && !constant;
    }
    return activation ? "" : "all of its operands are constants";
  }

  // Whether a pattern speaks of a layer: by its operator, or by a name of it or of the bias or the
  // clamp that it absorbs. (By their operators `Relu` would be all convolutions.)
  bool MatchesLayer(NodeId id, const std::string& pattern) const {
    const NodeId bias = BiasAddOf(graph_, id), last = graph_.value(PointOf(id)).producer;
    return MatchesGlob(pattern, graph_.node(id).op) ||
           MatchesName(graph_, graph_.node(id), pattern) ||
           MatchesName(graph_, graph_.node(last), pattern) ||
           (bias != NodeId::kNone && MatchesName(graph_, graph_.node(bias), pattern));
  }

  void AddLayer(NodeId id) {
    integer_.resize(std::max(integer_.size(), static_cast<size_t>(id) + 1));
    const Node& node = graph_.node(id);
    const OpDef* op = Op(id);
    if ((op && op->quant.same_scale) || IsAbsorbed(id) || node.op == "DequantizeLinear") return;
    if (node.outputs[0] == ValueId::kNone || !IsFloatValue(node.outputs[0])) return;
    Layer layer{.node = id,
                .name = LayerNameOf(graph_, graph_.value(PointOf(id)).name),
                .op = node.op,
                .reason = {}};
    layer.reason = op ? Obstacle(node, *op) : "pare has no such operator";
    for (const std::string& pattern : options_.keep_float) {
      if (MatchesLayer(id, pattern) || MatchesGlob(pattern, layer.name)) {
        layer.matched = true;
        layer.reason = Text("kept float by the pattern \"", pattern, "\"");
      }
    }
    layer.integer = layer.reason.empty();
    integer_[static_cast<size_t>(id)] = layer.integer;
    if (layer.integer) {
      for (size_t i = 0; i < node.inputs.size(); ++i)
        layer.weighted |= RoleOf(*op, i) == Role::kWeight;
    }
    const auto given_back = options_.given_back.find(layer.name);
    if (layer.integer && given_back != options_.given_back.end()) {
      layer.integer = integer_[static_cast<size_t>(id)] = false;
      layer.reason = given_back->second;
    }
    scheme_.layers.push_back(std::move(layer));
  }

  // needed_[v]: some integer node reads v, maybe through moves. An operator without weights is
  // integer only where its result is needed so: else it would be quantized for nothing. Returns
  // whether any layer changed.
  bool MarkNeeded() {
    needed_.assign(graph_.value_count(), false);
    for (auto id = order_.rbegin(); id != order_.rend(); ++id) {
      const Node& node = graph_.node(*id);
      const OpDef* op = Op(*id);
      if (!op || node.outputs[0] == ValueId::kNone) continue;
      const bool absorbed = IsAbsorbed(*id) && IsInteger(*id);
      const bool passes_on = (op->quant.same_scale || absorbed) && AnyNeeded(node.outputs);
      const bool integer = integer_[static_cast<size_t>(*id)];
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == ValueId::kNone || RoleOf(*op, i) != Role::kActivation) continue;
        if (passes_on || integer) needed_[Index(node.inputs[i])] = true;
      }
    }
    bool changed = false;
    for (Layer& layer : scheme_.layers) {
      if (!layer.integer || layer.weighted) continue;
      if (needed_[Index(PointOf(layer.node))]) continue;
      layer.integer = false;
      layer.reason = "nothing after it computes in integers";
      integer_[static_cast<size_t>(layer.node)] = false;
      changed = true;
    }
    return changed;
  }

  bool AnyNeeded(const std::vector<ValueId>& values) const {
    return std::ranges::any_of(
        values, [&](ValueId id) { return id != ValueId::kNone && needed_[Index(id)]; });
  }

  void ChooseValues() {
    chosen_.assign(graph_.value_count(), false);
    for (const Layer& layer : scheme_.layers) {
      if (!layer.integer) continue;
      const Node& node = graph_.node(layer.node);
      const OpDef& op = *Op(layer.node);
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] != ValueId::kNone && RoleOf(op, i) == Role::kActivation)
          Choose(node.inputs[i]);
      }
      // Matrix products can give float results; other engines have no convolution that does.
      const ValueId point = PointOf(layer.node);
      if (needed_[Index(point)] || node.op == "Conv") Choose(point);
    }
    // Moves between chosen values share the scale.
    for (auto id = order_.rbegin(); id != order_.rend(); ++id) {
      const Node& node = graph_.node(*id);
      const OpDef* op = Op(*id);
      if (!op || !op->quant.same_scale || node.outputs[0] == ValueId::kNone ||
          !IsFloatValue(node.outputs[0]))
        continue;
      bool all = true;
      for (ValueId output : node.outputs)
        all &= output == ValueId::kNone || chosen_[Index(output)] || !needed_[Index(output)];
      if (!all || !AnyChosen(node.outputs)) continue;
      for (ValueId output : node.outputs) {
        if (output != ValueId::kNone) Join(node.outputs[0], output);
      }
      for (size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == ValueId::kNone || RoleOf(*op, i) != Role::kActivation) continue;
        Choose(node.inputs[i]);
        Join(node.inputs[i], node.outputs[0]);
      }
    }
  }

  bool AnyChosen(const std::vector<ValueId>& values) const {
    return std::any_of(values.begin(), values.end(),
                       [&](ValueId id) { return id != ValueId::kNone && chosen_[Index(id)]; });
  }

  void Choose(ValueId id) { chosen_[Index(id)] = true; }

  void Join(ValueId a, ValueId b) {
    Choose(a);
    Choose(b);
    sets_.Join(Index(a), Index(b));
  }

  void NumberGroups() {
    std::map<size_t, int> number;
    for (size_t i = 0; i < chosen_.size(); ++i) {
      if (!chosen_[i]) continue;
      const auto [at, fresh] = number.try_emplace(sets_.Root(i), scheme_.groups);
      if (fresh) ++scheme_.groups;
      scheme_.group_of.emplace(static_cast<ValueId>(i), at->second);
    }
  }

  static size_t Index(ValueId id) { return static_cast<size_t>(id); }

  const Graph& graph_;
  const SchemeOptions& options_;
  Scheme scheme_;
  std::vector<NodeId> order_;
  std::vector<bool> integer_;          // by node
  std::vector<bool> needed_, chosen_;  // by value
  DisjointSets sets_;                  // of values that share a scale
};

}  // namespace

bool IsClamp(const Node& node) { return node.op == "Relu" || node.op == "Clip"; }

bool AbsorbsClamp(const Node& node) {
  const OpDef* op = ops::FindOp(node.op);
  return op && op->quant.integer && !IsClamp(node) && !IsAverage(node);
}

const Layer* Scheme::find(NodeId node) const {
  const auto at =
      std::find_if(layers.begin(), layers.end(), [&](const Layer& l) { return l.node == node; });
  return at == layers.end() ? nullptr : &*at;
}

Scheme MakeScheme(const Graph& graph, const SchemeOptions& options) {
  return SchemeMaker(graph, options).Run();
}

bool MatchesAny(const Graph& graph, const std::string& pattern) {
  const Scheme scheme = MakeScheme(graph, {.keep_float = {pattern}, .given_back = {}});
  return std::ranges::any_of(scheme.layers, &Layer::matched);
}

}  // namespace pare::compress
