// softmax(scale · q·kᵀ + mask) · v, as exporters write it, becomes one node; so do the Transposes
// between [B,T,H,D] and [B,H,T,D] around it. Scale and mask come in many ways: the scores are taken
// apart from the softmax inwards.
#include <algorithm>
#include <cmath>

#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Dim;
using graph::Graph;
using graph::Ints;
using graph::Node;
using graph::Shape;
using graph::ValueId;

const Ints kSwapPositionsAndHeads = {0, 2, 1, 3};

struct Scores {
  ValueId q = ValueId::kNone, k_transposed = ValueId::kNone;
  double scale = 1;
  ValueId mask = ValueId::kNone;       // added, or
  ValueId condition = ValueId::kNone;  // where this is `masked_when` there stands …
  bool masked_when = false;
  ValueId fill = ValueId::kNone;  // … this instead

  bool has_mask() const { return mask != ValueId::kNone || condition != ValueId::kNone; }
};

// Added to a score of less than 2⁷⁵ it leaves nothing of it in float32, so that adding it is the
// same as putting it there, also where all keys of a query are masked.
constexpr float kAbsorbs = -1e30f;
// As long as a key of the query stays, one that is masked by so much weighs nothing.
constexpr float kVanishes = -1e8f;

// Whether the condition is known, and masks all keys of no query.
bool EveryQueryKeepsAKey(const Graph& graph, ValueId condition, bool masked_when) {
  const graph::Value& value = graph.value(condition);
  if (!graph.is_constant(condition) || value.type.dtype != DType::kBool || value.type.rank() < 1)
    return false;
  const auto flags = value.data.as<bool>();
  const int64_t keys = value.data.shape().back();
  for (int64_t row = 0; row < std::ssize(flags); row += keys) {
    if (std::all_of(flags.begin() + row, flags.begin() + row + keys,
                    [&](bool flag) { return flag == masked_when; }))
      return false;
  }
  return true;
}

// Whether `scalar` has no more dimensions than what it is combined with.
bool NoWider(const Graph& graph, ValueId scalar, ValueId operand) {
  const graph::TensorType& type = graph.value(operand).type;
  return type.has_rank() && graph.value(scalar).type.rank() <= type.rank();
}

class ScoreReader {
 public:
  explicit ScoreReader(const Graph& graph) : graph_(graph) {}

  std::optional<Scores> Read(ValueId value) const {
    const Node* node = OwnProducer(value);
    if (!node) return std::nullopt;
    if (node->op == "MatMul") {
      Scores scores{.q = node->inputs[0], .k_transposed = node->inputs[1]};
      Unscale(scores.q, scores.scale);
      Unscale(scores.k_transposed, scores.scale);
      return scores;
    }
    if (node->op == "Mul" || node->op == "Div") return ReadScaled(*node);
    if (node->op == "Add") {
      auto scores = ReadMasked(node->inputs[0], node->inputs[1]);
      return scores ? scores : ReadMasked(node->inputs[1], node->inputs[0]);
    }
    return node->op == "Where" ? ReadWhere(*node) : std::nullopt;
  }

 private:
  const Node* OwnProducer(ValueId value) const {
    if (graph_.value(value).uses.size() != 1 || graph_.is_visible(value)) return nullptr;
    return graph_.producer_of(value);
  }

  // x · c or x / c with a scalar constant that leaves x its rank: what x is, and the factor.
  std::optional<std::pair<ValueId, double>> Factor(const Node& node) const {
    if (node.op != "Mul" && node.op != "Div") return std::nullopt;
    for (size_t side : {1u, 0u}) {
      const auto c = ScalarOf(graph_, node.inputs[side]);
      if (c && (side == 1 || node.op == "Mul") &&
          NoWider(graph_, node.inputs[side], node.inputs[1 - side])) {
        return std::pair(node.inputs[1 - side], node.op == "Mul" ? double{*c} : 1 / double{*c});
      }
    }
    return std::nullopt;
  }

  void Unscale(ValueId& operand, double& scale) const {
    const Node* node = OwnProducer(operand);
    const auto factor = node ? Factor(*node) : std::nullopt;
    if (!factor) return;
    operand = factor->first;
    scale *= factor->second;
  }

  std::optional<Scores> ReadScaled(const Node& node) const {
    const auto factor = Factor(node);
    auto scores = factor ? Read(factor->first) : std::nullopt;
    if (!scores || scores->has_mask()) return std::nullopt;  // a mask would be scaled, too
    scores->scale *= factor->second;
    return scores;
  }

  std::optional<Scores> ReadMasked(ValueId value, ValueId mask) const {
    auto scores = Read(value);
    if (!scores || scores->has_mask()) return std::nullopt;
    scores->mask = mask;
    return scores;
  }

  std::optional<Scores> ReadWhere(const Node& node) const {
    for (size_t side : {1u, 2u}) {
      const auto fill = ScalarOf(graph_, node.inputs[side]);
      if (!fill || !NoWider(graph_, node.inputs[side], node.inputs[3 - side])) continue;
      const bool keeps = EveryQueryKeepsAKey(graph_, node.inputs[0], side == 1);
      if (*fill > (keeps ? kVanishes : kAbsorbs)) continue;
      auto scores = Read(node.inputs[3 - side]);
      if (!scores || scores->has_mask()) return std::nullopt;
      scores->condition = node.inputs[0];
      scores->masked_when = side == 1;
      scores->fill = node.inputs[side];
      return scores;
    }
    return std::nullopt;
  }

  const Graph& graph_;
};

struct Operand {
  ValueId value;
  bool positions_first;
};

// Looks through a Transpose of [B,T,H,D]. `swap`: the operand is [B,H,D,T] and wanted is [B,H,T,D].
Operand Untransposed(Patch& p, ValueId value, bool swap) {
  Ints perm = {0, 1, 2, 3};
  const Node* node = p.graph().producer_of(value);
  ValueId source = value;
  if (node && node->op == "Transpose" && node->attrs.ints("perm").size() == 4) {
    perm = node->attrs.ints("perm");
    source = node->inputs[0];
  }
  if (swap) std::swap(perm[2], perm[3]);
  if (perm == Ints{0, 1, 2, 3}) return {source, false};
  if (perm == kSwapPositionsAndHeads) return {source, true};
  if (!swap) return {value, false};
  return {p.Add("Transpose", {source}, {{"perm", perm}}), false};
}

const Shape* Rank4(const Graph& graph, ValueId value) {
  const graph::TensorType& type = graph.value(value).type;
  return type.dtype == DType::kF32 && type.has_rank() && type.rank() == 4 ? &*type.shape : nullptr;
}

// The mask as the record takes it: it broadcasts to the scores [B,H,Tq,Tk], none of which it makes
// longer, and is as long as the keys in its last dimension.
bool MaskFits(const Graph& graph, ValueId mask, const Shape& scores) {
  const graph::TensorType& type = graph.value(mask).type;
  if (!type.has_rank() || type.rank() < 1 || type.rank() > 4) return false;
  const Shape& dims = *type.shape;
  const size_t missing = scores.size() - dims.size();
  for (size_t i = 0; i + 1 < dims.size(); ++i) {
    if (dims[i] != Dim(1) && !dims[i].Same(scores[missing + i])) return false;
  }
  return dims.back().Same(scores.back());
}

bool FormAttentionRule(const Match& m, Patch& p) {
  const Graph& graph = m.graph();
  const Node& softmax = m.node("softmax");
  const int64_t axis = softmax.attrs.i("axis", -1);
  if (axis != -1 && axis != 3) return false;
  const auto scores = ScoreReader(graph).Read(softmax.inputs[0]);
  if (!scores) return false;
  const Shape *q = Rank4(graph, scores->q), *k = Rank4(graph, scores->k_transposed),
              *v = Rank4(graph, m["v"]);
  if (!q || !k || !v) return false;
  for (int i : {0, 1}) {
    if (!(*q)[i].Same((*k)[i]) || !(*q)[i].Same((*v)[i])) return false;
  }
  const Dim keys = (*k)[3];
  if (!keys.Same((*v)[2])) return false;
  const ValueId checked = scores->mask != ValueId::kNone ? scores->mask : scores->condition;
  const Shape all = {(*q)[0], (*q)[1], (*q)[2], keys};
  if (scores->has_mask() && !MaskFits(graph, checked, all)) return false;
  ValueId mask = scores->mask;
  if (mask != ValueId::kNone && graph.value(mask).type.dtype != DType::kF32) return false;
  if (scores->condition != ValueId::kNone) {
    const ValueId zero = p.Constant("zero", Tensor::Scalar<float>(0));
    mask = scores->masked_when ? p.Add("Where", {scores->condition, scores->fill, zero})
                               : p.Add("Where", {scores->condition, zero, scores->fill});
  }
  const Operand q_operand = Untransposed(p, scores->q, false),
                k_operand = Untransposed(p, scores->k_transposed, true),
                v_operand = Untransposed(p, m["v"], false);
  const Ints first = {q_operand.positions_first, k_operand.positions_first,
                      v_operand.positions_first, 0};
  return p.Replace(
      m["y"], NodeSpec{"pare.Attention",
                       {q_operand.value, k_operand.value, v_operand.value, mask},
                       {{"scale", static_cast<float>(scores->scale)}, {"positions_first", first}},
                       graph.producer_of(m["y"])->name});
}

bool AbsorbTranspose(const Match& m, Patch& p) {
  if (m.node("y").attrs.ints("perm") != kSwapPositionsAndHeads) return false;
  Ints first = m.node("attention").attrs.ints("positions_first", {0, 0, 0, 0});
  first[3] = 1 - first[3];
  return p.Replace(m["y"], p.Copy(m["attention"]).With("positions_first", first));
}

}  // namespace

Status FormAttention(PassContext& context) {
  static const Rule rules[] = {
      {"form-attention", Op({"MatMul"}, "y")(Op({"Softmax"}, "softmax").UsedOnce(), Any("v")),
       FormAttentionRule},
      {"absorb-transpose", Op({"Transpose"}, "y")(Op({"pare.Attention"}, "attention").UsedOnce()),
       AbsorbTranspose},
  };
  return Rewrite(context, rules);
}

}  // namespace pare::passes
