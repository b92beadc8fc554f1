#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ops/pool.h"
#include "passes/integer_lowering.h"
#include "passes/layout.h"

namespace pare::passes {

using graph::Attrs;
using graph::Node;
using graph::NodeId;
using graph::ValueId;

double RoundEven(double x) {
  // Adding 1.5 · 2^52 leaves no place for a fraction; the sum is rounded to nearest even.
  constexpr double kShift = 6755399441055744.0;
  volatile double shifted = x + kShift;
  return shifted - kShift;
}

int64_t QuantizeU8(double x, const Scale& scale) {
  if (std::isnan(x)) x = 0;
  const double level = std::clamp(x / scale.scale, -1e6, 1e6);
  return std::clamp<int64_t>(static_cast<int64_t>(RoundEven(level)) + scale.zero_point, 0, 255);
}

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool IsMove(const graph::Graph& graph, const Node& node) {
  constexpr std::string_view kMoves[] = {"Split",        "Reshape",      "Flatten", "Transpose",
                                         "Squeeze",      "Unsqueeze",    "Slice",   "Identity",
                                         "DepthToSpace", "SpaceToDepth", "Expand",  "Tile",
                                         "Gather",       "GlobalMaxPool"};
  if (node.op == "MaxPool") return node.outputs.size() == 1;
  if (node.op == "Pad") {
    const bool zero = node.inputs.size() < 3 || node.inputs[2] == ValueId::kNone ||
                      ScalarOf(graph, node.inputs[2]) == 0.0f;
    return zero || node.attrs.s("mode", "constant") != "constant";
  }
  if (node.op == "Resize") return node.attrs.s("mode", "nearest") == "nearest";
  return std::find(std::begin(kMoves), std::end(kMoves), node.op) != std::end(kMoves);
}

// The integer bounds of an activation that clamps; nullopt for another activation.
std::optional<std::pair<int64_t, int64_t>> Bounds(const Attrs& attrs, const Scale& to) {
  const std::string activation = attrs.s("activation");
  if (activation.empty()) return std::pair<int64_t, int64_t>(0, 255);
  if (activation != "clamp") return std::nullopt;
  return std::pair(QuantizeU8(attrs.f("activation_lo", -kInfinity), to),
                   QuantizeU8(attrs.f("activation_hi", kInfinity), to));
}

Attrs WithBounds(Attrs attrs, const Scale& to, std::pair<int64_t, int64_t> bounds) {
  attrs.set("y_zero_point", int64_t{to.zero_point});
  if (bounds.first != 0) attrs.set("lo", bounds.first);
  if (bounds.second != 255) attrs.set("hi", bounds.second);
  return attrs;
}

}  // namespace

std::optional<Scale> ScaleOf(const graph::Graph& graph, const Node& node, DType dtype) {
  if (dtype != DType::kU8 && dtype != DType::kI8) return std::nullopt;
  const std::optional<float> scale = ScalarOf(graph, node.inputs[1]);
  if (!scale || !(*scale > 0) || node.attrs.i("block_size", 0) != 0) return std::nullopt;
  Scale result{*scale, dtype == DType::kI8 ? 128 : 0};
  if (node.inputs.size() > 2 && node.inputs[2] != ValueId::kNone) {
    if (!graph.is_constant(node.inputs[2])) return std::nullopt;
    const auto zero = ToInt64s(graph.value(node.inputs[2]).data);
    if (!zero || zero->size() != 1) return std::nullopt;
    result.zero_point += static_cast<int32_t>((*zero)[0]);
  }
  return result;
}

Status IntegerLowering::Run() {
  const std::vector<NodeId> order = graph_.Order();
  const bool any = std::any_of(order.begin(), order.end(),
                               [&](NodeId id) { return graph_.node(id).op == "DequantizeLinear"; });
  if (!any) return {};
  for (NodeId id : order) {
    if (!graph_.node(id).live) continue;
    PARE_TRY(Visit(id));
  }
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    PARE_ASSIGN(const ValueId value, FloatOf(graph_.outputs()[i].value));
    graph_.SetOutputValue(static_cast<int>(i), value);
  }
  graph_.RemoveDead();
  return context_.Infer();
}

std::optional<Quantized> IntegerLowering::QuantizedOf(ValueId value) {
  const auto known = quantized_.find(value);
  return known == quantized_.end() ? std::nullopt : std::optional(known->second);
}

Result<ValueId> IntegerLowering::Add(std::string op, std::vector<ValueId> inputs, Attrs attrs,
                                     const Node& like, size_t outputs) {
  while (inputs.back() == ValueId::kNone) inputs.pop_back();
  const std::string origin = like.origin, name = like.name;
  const NodeId id = graph_.AddNode(std::move(op), std::move(inputs),
                                   std::vector<std::string>(outputs), std::move(attrs), name);
  graph_.mutable_node(id).origin = origin;
  PARE_TRY(ops::InferNode(graph_, id, context_.dims()));
  return graph_.node(id).outputs[0];
}

void IntegerLowering::TakeName(ValueId u8, ValueId of) {
  if (graph_.value(of).channels_last) graph_.SetChannelsLast(u8);
  if (graph_.is_visible(of)) return;
  const std::string name = graph_.value(of).name;
  graph_.Rename(of, graph_.FreshName(name + ".float"));
  graph_.Rename(u8, name);
}

ValueId IntegerLowering::Constant(ValueId of, std::string_view what, Tensor data) {
  return graph_.AddConstant(graph_.FreshName(Text(graph_.value(of).name, ".", what)),
                            std::move(data));
}

Result<ValueId> IntegerLowering::AddLut(ValueId u8, const Node& like,
                                        const std::function<int64_t(int64_t)>& f) {
  std::array<uint8_t, 256> table{};
  for (int64_t i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = static_cast<uint8_t>(f(i));
  const ValueId constant = Constant(like.outputs[0], "table", Tensor::Of<uint8_t>({256}, table));
  return Add("pare.Lut", {u8, constant}, {}, like);
}

// --- the walk

Status IntegerLowering::Visit(NodeId id) {
  const std::string op = graph_.node(id).op;
  if (op == "QuantizeLinear") return VisitQuantize(id);
  if (op == "DequantizeLinear") return VisitDequantize(id);
  PARE_ASSIGN(const bool moved, VisitMove(id));
  if (moved) return {};
  waiting_.insert(id);
  return Waits(graph_.node(id)) ? Status() : Settle(id);
}

bool IntegerLowering::Waits(const Node& node) const {
  if (node.outputs.size() != 1 || !OnlyUser(node.outputs[0])) return false;
  const Node& user = graph_.node(graph_.value(node.outputs[0]).uses[0].node);
  // Functions of one number wait for the end of their chain.
  return user.op == "QuantizeLinear" || UnaryFunctionOf(graph_, node).has_value();
}

Status IntegerLowering::Settle(NodeId id) {
  if (waiting_.erase(id) == 0) return {};
  PARE_ASSIGN(const bool lowered, LowerToFloat(id));
  return lowered ? Status() : TakeFloats(id);
}

// Every operand is float from now on.
Status IntegerLowering::TakeFloats(NodeId id) {
  for (size_t i = 0; i < graph_.node(id).inputs.size(); ++i) {
    const ValueId input = graph_.node(id).inputs[i];
    if (input == ValueId::kNone) continue;
    PARE_ASSIGN(const ValueId value, FloatOf(input));
    if (value != input) graph_.SetInput(id, static_cast<int>(i), value);
    const NodeId producer = graph_.value(input).producer;
    if (value == input && producer != NodeId::kNone) PARE_TRY(Settle(producer));
  }
  return {};
}

Result<ValueId> IntegerLowering::FloatOf(ValueId value) {
  const auto known = quantized_.find(value);
  if (known == quantized_.end()) return value;
  // What a DequantizeLinear gives is there already; what was moved as integers is not.
  if (graph_.producer_of(value)->op == "DequantizeLinear") return value;
  const auto made = floats_.find(value);
  if (made != floats_.end()) return made->second;
  const auto [u8, scale] = known->second;
  const ValueId scale_constant = Constant(value, "scale", Tensor::Scalar<float>(scale.scale));
  const ValueId zero_constant = Constant(
      value, "zero_point", Tensor::Scalar<uint8_t>(static_cast<uint8_t>(scale.zero_point)));
  PARE_ASSIGN(const ValueId result,
              Add("DequantizeLinear", {u8, scale_constant, zero_constant}, {}, Node()));
  if (graph_.value(u8).channels_last) graph_.SetChannelsLast(result);
  floats_.emplace(value, result);
  return result;
}

// An i8 value is replaced by a u8 one only where everybody who reads it can read that.
bool IntegerLowering::UsersUnderstandU8(ValueId i8) const {
  const graph::Value& value = graph_.value(i8);
  return !graph_.is_visible(i8) &&
         std::all_of(value.uses.begin(), value.uses.end(), [&](const graph::Use& use) {
           const Node& user = graph_.node(use.node);
           return user.op == "DequantizeLinear" && use.input == 0 &&
                  ScaleOf(graph_, user, DType::kI8);
         });
}

Status IntegerLowering::VisitQuantize(NodeId id) {
  const Node node = graph_.node(id);
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const DType dtype = graph_.value(y).type.dtype;
  const auto to = ScaleOf(graph_, node, dtype);
  const bool from_float = graph_.value(x).type.dtype == DType::kF32;
  if (!to || !from_float || graph_.value(y).pinned ||
      (dtype == DType::kI8 && !UsersUnderstandU8(y))) {
    return TakeFloats(id);
  }
  PARE_ASSIGN(std::optional<ValueId> u8, Lower(x, *to));
  if (u8 && !context_.Allow("integer-operator")) u8.reset();
  if (!u8) PARE_TRY(TakeFloats(id));
  if (!u8 && dtype == DType::kI8) {
    const ValueId zero =
        Constant(y, "zero_point", Tensor::Scalar<uint8_t>(static_cast<uint8_t>(to->zero_point)));
    PARE_ASSIGN(u8,
                Add("QuantizeLinear", {graph_.node(id).inputs[0], node.inputs[1], zero}, {}, node));
    if (graph_.value(y).channels_last) graph_.SetChannelsLast(*u8);
  }
  if (!u8) return {};
  if (dtype == DType::kU8) {
    graph_.ReplaceUses(y, *u8);
  } else {
    as_u8_.emplace(y, *u8);
  }
  return {};
}

Status IntegerLowering::VisitDequantize(NodeId id) {
  const Node node = graph_.node(id);
  const ValueId q = node.inputs[0], y = node.outputs[0];
  const DType dtype = graph_.value(q).type.dtype;
  const auto scale = ScaleOf(graph_, node, dtype);
  if (!scale || graph_.value(y).type.dtype != DType::kF32 || graph_.is_constant(q)) return {};
  const auto known = as_u8_.find(q);
  if (known != as_u8_.end()) {
    const ValueId zero =
        Constant(y, "zero_point", Tensor::Scalar<uint8_t>(static_cast<uint8_t>(scale->zero_point)));
    graph_.SetInput(id, 0, known->second);
    if (node.inputs.size() < 3) graph_.AppendInput(id, ValueId::kNone);
    graph_.SetInput(id, 2, zero);
  } else if (dtype != DType::kU8) {
    return {};
  }
  quantized_.emplace(y, Quantized{graph_.node(id).inputs[0], *scale});
  return {};
}

// What only moves values does so with u8 as well, and the scale stays.
Result<bool> IntegerLowering::VisitMove(NodeId id) {
  const Node node = graph_.node(id);
  const auto x = node.inputs.empty() ? std::nullopt : QuantizedOf(node.inputs[0]);
  if (!x || !IsMove(graph_, node)) return false;
  for (ValueId output : node.outputs) {
    if (output != ValueId::kNone && graph_.value(output).pinned) return false;
  }
  if (!context_.Allow("move-integers")) return false;
  std::vector<ValueId> inputs = node.inputs;
  inputs[0] = x->u8;
  if (node.op == "Pad" && node.attrs.s("mode", "constant") == "constant") {
    if (inputs.size() < 3) inputs.resize(3, ValueId::kNone);
    inputs[2] = Constant(node.outputs[0], "zero_point",
                         Tensor::Scalar<uint8_t>(static_cast<uint8_t>(x->scale.zero_point)));
  }
  PARE_ASSIGN(const ValueId first,
              Add(node.op, std::move(inputs), node.attrs, node, node.outputs.size()));
  const std::vector<ValueId> outputs = graph_.producer_of(first)->outputs;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (node.outputs[i] == ValueId::kNone) continue;
    TakeName(outputs[i], node.outputs[i]);
    quantized_.emplace(node.outputs[i], Quantized{outputs[i], x->scale});
  }
  return true;
}

// --- operators whose result is quantized

IntegerLowering::Lowered IntegerLowering::Lower(ValueId value, const Scale& to) {
  if (const auto from = QuantizedOf(value)) {
    if (from->scale == to) return from->u8;
    const Node like = *graph_.producer_of(value);
    const Scale scale = from->scale;
    return AddLut(from->u8, like, [&](int64_t i) {
      return QuantizeU8(static_cast<float>(i - scale.zero_point) * scale.scale, to);
    });
  }
  const Node* producer = graph_.producer_of(value);
  if (!producer || producer->outputs.size() != 1 || !OnlyUser(value)) return std::nullopt;
  const Node node = *producer;
  Lowered lowered = std::nullopt;
  if (node.op == "Conv" || node.op == "Gemm" || node.op == "MatMul" || node.op == "pare.MatMul") {
    lowered = LowerProduct(node, to);
  } else if (node.op == "AveragePool" || node.op == "GlobalAveragePool") {
    lowered = LowerPool(node, to);
  } else if (node.op == "Concat") {
    lowered = LowerConcat(node, to);
  } else {
    lowered = LowerChain(value, to);
    if (lowered && !*lowered) lowered = LowerBinary(node, to);
  }
  if (lowered && *lowered) TakeName(**lowered, value);
  return lowered;
}

// Functions of one number behind each other, down to a quantized value: one table.
IntegerLowering::Lowered IntegerLowering::LowerChain(ValueId value, const Scale& to) {
  std::vector<std::function<double(double)>> chain;
  ValueId x = value;
  const Node like = *graph_.producer_of(value);
  while (!quantized_.contains(x)) {
    const Node* node = graph_.producer_of(x);
    if (!node || !OnlyUser(x)) return std::nullopt;
    const graph::TensorType& y_type = graph_.value(x).type;
    auto function = UnaryFunctionOf(graph_, *node);
    if (!function || graph_.value(function->x).type != y_type) return std::nullopt;
    chain.push_back(std::move(function->f));
    x = function->x;
  }
  const auto [u8, from] = quantized_.at(x);
  return AddLut(u8, like, [&, from = from](int64_t i) {
    double y = static_cast<float>(i - from.zero_point) * from.scale;
    for (auto f = chain.rbegin(); f != chain.rend(); ++f) y = (*f)(y);
    return QuantizeU8(y, to);
  });
}

IntegerLowering::Lowered IntegerLowering::LowerBinary(const Node& node, const Scale& to) {
  const bool add = node.op == "Add";
  if ((!add && node.op != "Mul") || node.inputs.size() != 2) return std::nullopt;
  const auto a = QuantizedOf(node.inputs[0]), b = QuantizedOf(node.inputs[1]);
  const auto bounds = Bounds(node.attrs, to);
  if (!a || !b || !bounds) return std::nullopt;
  const double a_scale = a->scale.scale, b_scale = b->scale.scale, y_scale = to.scale;
  Attrs attrs = {{"a_zero_point", int64_t{a->scale.zero_point}},
                 {"b_zero_point", int64_t{b->scale.zero_point}}};
  if (add) {
    attrs.set("a_multiplier", static_cast<float>(a_scale / y_scale));
    attrs.set("b_multiplier", static_cast<float>(b_scale / y_scale));
  } else {
    attrs.set("multiplier", static_cast<float>(a_scale * b_scale / y_scale));
  }
  return Add(add ? "pare.QAdd" : "pare.QMul", {a->u8, b->u8},
             WithBounds(std::move(attrs), to, *bounds), node);
}

IntegerLowering::Lowered IntegerLowering::LowerPool(const Node& node, const Scale& to) {
  const auto x = QuantizedOf(node.inputs[0]);
  if (!x || node.attrs.i("channels_last", 0) == 0 || graph_.value(x->u8).type.rank() > 4 ||
      ops::LeavesTapsOut(node.attrs)) {
    return std::nullopt;
  }
  Attrs attrs = node.attrs;
  attrs.set("x_zero_point", int64_t{x->scale.zero_point});
  attrs.set("multiplier",
            static_cast<float>(static_cast<double>(x->scale.scale) / double{to.scale}));
  return Add(node.op == "AveragePool" ? "pare.QAveragePool" : "pare.QGlobalAveragePool", {x->u8},
             WithBounds(std::move(attrs), to, {0, 255}), node);
}

IntegerLowering::Lowered IntegerLowering::LowerConcat(const Node& node, const Scale& to) {
  for (ValueId input : node.inputs) {
    if (!QuantizedOf(input)) return std::nullopt;
  }
  std::vector<ValueId> inputs;
  for (ValueId input : node.inputs) {
    PARE_ASSIGN(const std::optional<ValueId> u8, Lower(input, to));
    inputs.push_back(*u8);
  }
  return Add("Concat", std::move(inputs), node.attrs, node);
}

Status QdqToInteger(PassContext& context) { return IntegerLowering(context).Run(); }

}  // namespace pare::passes
