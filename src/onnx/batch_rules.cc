// How operators treat a batch: THE table is at the end. A rule answers for one node along which
// axis the samples of its outputs are stacked; it returns false where they would be mixed.
#include <algorithm>
#include <cmath>

#include "onnx/batch_flow.h"

namespace pare::onnx {
namespace {

using graph::Dim;
using graph::Ints;
using graph::Shape;

// The product of sizes [begin, end); −1 where one of them is unknown.
int64_t Product(const Shape& shape, int begin, int end) {
  int64_t product = 1;
  for (int i = begin; i < end; ++i) {
    if (!shape[i].known() || __builtin_mul_overflow(product, shape[i].size(), &product)) return -1;
  }
  return product;
}

// Operands are aligned from the right; all that carry the batch must do so at the same place, and
// the others must be the same for every sample there.
bool Broadcast(Flow& f) {
  int rank = 0;
  for (int i = 0; i < f.inputs(); ++i) {
    if (!f.has_input(i)) continue;
    if (f.rank(i) < 0 || f.is_size(i)) return false;
    rank = std::max(rank, f.rank(i));
  }
  std::optional<Carry> out;
  for (int i = 0; i < f.inputs(); ++i) {
    std::optional<Carry> carry = f.carry(i);
    if (!carry) continue;
    carry->axis += rank - f.rank(i);
    if (out && *out != *carry) return false;
    out = carry;
  }
  for (int i = 0; i < f.inputs(); ++i) {
    if (!f.has_input(i) || f.carry(i)) continue;
    const int axis = out->axis - (rank - f.rank(i));
    if (axis >= 0 && f.dim(i, axis) != 1) return false;
  }
  f.SetAll(*out);
  return true;
}

// Input 0 has its samples in front, as convolution, pooling and normalisation have them.
bool Leading(Flow& f) {
  if (!f.only_first() || f.carry(0)->axis != 0) return false;
  f.SetAll(*f.carry(0));
  return true;
}

// The operator works along one axis of input 0 (attribute `axis`).
template <int kDefault>
bool AlongAxis(Flow& f) {
  if (!f.only_first()) return false;
  const int axis = f.axis("axis", kDefault);
  if (axis < 0 || axis == f.carry(0)->axis) return false;
  f.SetAll(*f.carry(0));
  return true;
}

// … along `axis` and all behind it.
bool BehindAxis(Flow& f) {
  const int axis = f.axis("axis", -1);
  if (!f.only_first() || axis < 0 || f.carry(0)->axis >= axis) return false;
  f.SetAll(*f.carry(0));
  return true;
}

bool Quantize(Flow& f) {
  if (!f.only_first()) return false;
  const bool whole = f.rank(1) == 0 || (f.rank(1) == 1 && f.dim(1, 0) == 1);
  if (!whole && f.axis("axis", 1) == f.carry(0)->axis) return false;
  f.SetAll(*f.carry(0));
  return true;
}

bool Gemm(Flow& f) {
  const int rows = f.attrs().i("transA", 0) != 0 ? 1 : 0;
  if (!f.only_first() || f.carry(0)->axis != rows) return false;
  const bool rows_of_c = f.rank(2) == 2 && f.dim(2, 0) != 1;
  if (f.has_input(2) && (f.rank(2) < 0 || rows_of_c)) return false;
  f.Set(0, {0, f.carry(0)->times});
  return true;
}

bool MatMul(Flow& f) {
  const int a = f.rank(0), b = f.rank(1);
  if (f.is_size(0) || f.is_size(1)) return false;
  if (a < 2 || b < 2)
    return a >= 2 && b == 1 && f.only_first() && f.carry(0)->axis < a - 1
               ? (f.Set(0, *f.carry(0)), true)
               : false;
  const int rank = std::max(a, b);
  const auto left = f.carry(0), right = f.carry(1);
  if (left && left->axis == a - 1) return false;  // summed over
  if (right && right->axis == b - 2) return false;
  const int left_out = left ? left->axis + rank - a : -1;
  const int right_out = right ? right->axis + rank - b : -1;
  if (left && right) {
    if (left_out != right_out || left_out >= rank - 2 || left->times != right->times) return false;
  } else if (left && left_out < rank - 2) {
    const int axis = left_out - (rank - b);
    if (axis >= 0 && f.dim(1, axis) != 1) return false;
  } else if (right && right_out < rank - 2) {
    const int axis = right_out - (rank - a);
    if (axis >= 0 && f.dim(0, axis) != 1) return false;
  }
  f.Set(0, left ? Carry{left_out, left->times} : Carry{right_out, right->times});
  return true;
}

bool Reduce(Flow& f) {
  const auto axes = f.ints(1);
  if (!f.only_first() || !axes || axes->empty() || f.rank(0) < 0) return false;
  Carry out = *f.carry(0);
  int before = 0;
  for (int64_t axis : *axes) {
    if (axis < 0) axis += f.rank(0);
    if (axis == out.axis) return false;
    before += axis < out.axis;
  }
  if (f.attrs().i("keepdims", 1) == 0) out.axis -= before;
  f.Set(0, out);
  return true;
}

bool ArgReduce(Flow& f) {
  const int axis = f.axis("axis", 0);
  if (!f.only_first() || axis < 0 || axis == f.carry(0)->axis) return false;
  Carry out = *f.carry(0);
  if (f.attrs().i("keepdims", 1) == 0 && axis < out.axis) --out.axis;
  f.Set(0, out);
  return true;
}

bool Transpose(Flow& f) {
  if (!f.only_first()) return false;
  Ints perm = f.attrs().ints("perm");
  if (perm.empty()) {
    for (int i = f.rank(0) - 1; i >= 0; --i) perm.push_back(i);
  }
  const auto at = std::ranges::find(perm, f.carry(0)->axis);
  if (at == perm.end()) return false;
  f.Set(0, {static_cast<int>(at - perm.begin()), f.carry(0)->times});
  return true;
}

bool Squeeze(Flow& f) {
  const auto axes = f.ints(1);
  if (!f.only_first() || !axes || f.rank(0) < 0) return false;
  Carry out = *f.carry(0);
  const int from = out.axis;
  for (int64_t axis : *axes) {
    if (axis < 0) axis += f.rank(0);
    if (axis == from) return false;
    out.axis -= axis < from;
  }
  f.Set(0, out);
  return true;
}

bool Unsqueeze(Flow& f) {
  const auto axes = f.ints(1);
  if (!f.only_first() || !axes || f.rank(0) < 0) return false;
  const int rank = f.rank(0) + static_cast<int>(axes->size());
  int old_axis = 0;
  for (int i = 0; i < rank; ++i) {
    const bool inserted = std::ranges::find(*axes, i) != axes->end() ||
                          std::ranges::find(*axes, i - rank) != axes->end();
    if (inserted) continue;
    if (old_axis++ == f.carry(0)->axis) {
      f.Set(0, {i, f.carry(0)->times});
      return true;
    }
  }
  return false;
}

// Where the batch stands in the output of a Reshape: behind as many elements as before.
int ReshapedAxis(const Shape& from, const Shape& to, int axis) {
  const int64_t before = Product(from, 0, axis);
  const int rank = static_cast<int>(to.size());
  if (before < 0) return -1;
  if (axis < rank && Product(to, 0, axis) == before) return axis;
  for (int i = 0; i < rank; ++i) {
    if (Product(to, 0, i) == before) return i;
  }
  return -1;
}

bool Reshape(Flow& f) {
  const Shape* from = f.shape(0);
  const Shape* to = f.output_shape();
  if (!f.carry(0) || f.carry(1) || !from || !to) return false;
  const Carry in = *f.carry(0);
  const int axis = ReshapedAxis(*from, *to, in.axis);
  if (axis < 0 || !(*to)[axis].known()) return false;
  const Carry out{axis, (*to)[axis].size()};
  if (f.is_size(1)) {
    if (f.symbolic_axis() != axis || out.times != 1) return false;
    f.Set(0, out);
    return true;
  }
  std::optional<Ints> target = f.ints(1);
  if (!target || target->size() != to->size()) return false;
  f.Set(0, out);
  const bool copies = f.attrs().i("allowzero", 0) == 0;
  const bool same_place = axis == in.axis && out.times == in.times;
  if ((*target)[axis] == -1 || ((*target)[axis] == 0 && copies && same_place)) {
    return !copies || axis == in.axis || in.axis >= std::ssize(*target) || (*target)[in.axis] != 0;
  }
  if (copies && same_place) {
    (*target)[axis] = 0;
  } else {
    for (int i = 0; i < std::ssize(*target); ++i) {
      if (!(*to)[i].known() || (*to)[i].size() == 0) return false;
      (*target)[i] = i == axis ? -1 : (*to)[i].size();
    }
  }
  f.SetTarget(std::move(*target));
  return true;
}

bool Flatten(Flow& f) {
  const Shape* from = f.shape(0);
  const Shape* to = f.output_shape();
  const int split = f.axis("axis", 1);
  if (!f.only_first() || !from || !to || split < 0) return false;
  const int axis = f.carry(0)->axis;
  const int out = axis < split ? 0 : 1;
  if (Product(*from, out == 0 ? 0 : split, axis) != 1 || !(*to)[out].known()) return false;
  f.Set(0, {out, (*to)[out].size()});
  return true;
}

// An operand that every sample shares (the class token of a vision transformer) is repeated.
bool CanExpand(const Flow& f, int i, Carry carry) {
  return !f.carry(i) && !f.is_size(i) && carry.times == 1 && f.dim(i, carry.axis) == 1;
}

bool Concat(Flow& f) {
  int like = 0;
  while (!f.carry(like)) ++like;
  const Carry carry = *f.carry(like);
  const int axis = f.axis("axis", 0);
  if (axis < 0 || axis == carry.axis) return false;
  for (int i = 0; i < f.inputs(); ++i) {
    if (f.carry(i) == carry) continue;
    if (!CanExpand(f, i, carry)) return false;
    f.Expand(i, like);
  }
  f.Set(0, carry);
  return true;
}

bool Slice(Flow& f) {
  constexpr int64_t kToTheEnd = INT32_MAX;
  const auto starts = f.ints(1), ends = f.ints(2), axes = f.ints(3), steps = f.ints(4);
  if (!f.only_first() || !starts || !ends || f.rank(0) < 0 || (f.has_input(3) && !axes) ||
      (f.has_input(4) && !steps) || ends->size() != starts->size() ||
      (axes && axes->size() != starts->size()) || (steps && steps->size() != starts->size())) {
    return false;
  }
  for (size_t i = 0; i < starts->size(); ++i) {
    int64_t axis = axes ? (*axes)[i] : static_cast<int64_t>(i);
    if (axis < 0) axis += f.rank(0);
    if (axis != f.carry(0)->axis) continue;
    const bool all = (*starts)[i] == 0 && (*ends)[i] >= kToTheEnd && (!steps || (*steps)[i] == 1);
    if (!all) return false;
  }
  f.Set(0, *f.carry(0));
  return true;
}

bool Pad(Flow& f) {
  const auto pads = f.ints(1);
  const int axis = f.carry(0) ? f.carry(0)->axis : 0;
  if (!f.only_first() || !pads || f.has_input(3) || std::ssize(*pads) != 2 * f.rank(0) ||
      (*pads)[axis] != 0 || (*pads)[axis + f.rank(0)] != 0) {
    return false;
  }
  f.Set(0, *f.carry(0));
  return true;
}

bool Gather(Flow& f) {
  const int axis = f.axis("axis", 0);
  if (axis < 0 || f.rank(1) < 0 || f.is_size(0) || f.is_size(1)) return false;
  if (f.carry(0) && f.carry(1)) return false;
  if (const auto indices = f.carry(1)) {
    f.Set(0, {axis + indices->axis, indices->times});
    return true;
  }
  Carry out = *f.carry(0);
  if (out.axis == axis) return false;
  if (out.axis > axis) out.axis += f.rank(1) - 1;
  f.Set(0, out);
  return true;
}

// Inputs [sequence, batch, width], states [directions, batch, width].
bool Recurrent(Flow& f) {
  if (f.attrs().i("layout", 0) != 0 || f.carry(0) != Carry{1, 1}) return false;
  for (int i = 1; i < f.inputs(); ++i) {
    const bool state = i == 5 || i == 6;
    if (i == 4 && f.has_input(i)) return false;  // lengths of the sequences
    if (!f.has_input(i) || f.carry(i) == (state ? std::optional(Carry{1, 1}) : std::nullopt)) {
      continue;
    }
    if (!state || !CanExpand(f, i, {1, 1})) return false;
    f.Expand(i, 0);
  }
  f.Set(0, {2, 1});
  f.Set(1, {1, 1});
  f.Set(2, {1, 1});
  return true;
}

bool Expand(Flow& f) {
  const auto to = f.ints(1);
  if (f.is_size(1) && f.symbolic_axis()) {
    const int axis = *f.symbolic_axis();
    const int own = f.rank(0) < 0 || !f.output_shape()
                        ? -1
                        : axis - static_cast<int>(f.output_shape()->size()) + f.rank(0);
    const bool fits = f.carry(0) ? *f.carry(0) == Carry{own, 1} : own < 0 || f.dim(0, own) == 1;
    if (f.rank(0) < 0 || !fits) return false;
    f.Set(0, {axis, 1});
    return true;
  }
  if (!f.only_first() || !to || f.rank(0) < 0) return false;
  const int rank = std::max(f.rank(0), static_cast<int>(to->size()));
  const int axis = f.carry(0)->axis + rank - f.rank(0);
  const int of_target = axis - (rank - static_cast<int>(to->size()));
  if (of_target >= 0 && (*to)[of_target] != 1) return false;
  f.Set(0, {axis, f.carry(0)->times});
  return true;
}

bool Tile(Flow& f) {
  const auto repeats = f.ints(1);
  if (!f.only_first() || !repeats || f.carry(0)->axis >= std::ssize(*repeats) ||
      (*repeats)[f.carry(0)->axis] != 1) {
    return false;
  }
  f.Set(0, *f.carry(0));
  return true;
}

// Input 0 carries the batch, and the others are the same for every sample, whatever their shapes.
bool First(Flow& f) {
  if (!f.only_first()) return false;
  f.SetAll(*f.carry(0));
  return true;
}

// All operands are indexed alike but along `axis`, and all carry the batch elsewhere.
bool ElementsAlongAxis(Flow& f) {
  const auto carry = f.carry(0);
  const int axis = f.axis("axis", 0);
  if (!carry || axis < 0 || axis == carry->axis) return false;
  for (int i = 1; i < f.inputs(); ++i) {
    if (f.carry(i) != carry) return false;
  }
  f.Set(0, *carry);
  return true;
}

bool CumSum(Flow& f) {
  const auto axis = f.ints(1);
  if (!f.only_first() || !axis || axis->size() != 1 || f.rank(0) < 0) return false;
  const int64_t along = (*axis)[0] < 0 ? (*axis)[0] + f.rank(0) : (*axis)[0];
  return along != f.carry(0)->axis && First(f);
}

// The last two dimensions are a matrix.
bool Trilu(Flow& f) { return f.only_first() && f.carry(0)->axis < f.rank(0) - 2 && First(f); }

bool OneHot(Flow& f) {
  if (!f.only_first() || f.rank(0) < 0) return false;
  int64_t axis = f.attrs().i("axis", -1);
  if (axis < 0) axis += f.rank(0) + 1;
  Carry out = *f.carry(0);
  out.axis += axis <= out.axis;
  f.Set(0, out);
  return true;
}

// Either the indices carry the batch or, where it is among batch_dims, both operands do.
bool GatherNd(Flow& f) {
  const int64_t shared = f.attrs().i("batch_dims", 0);
  const auto data = f.carry(0), indices = f.carry(1);
  if (!indices || indices->axis >= f.rank(1) - 1) return false;
  const bool fits = data ? data == indices && data->axis < shared : shared <= indices->axis;
  if (!fits) return false;
  f.Set(0, *indices);
  return true;
}

// Each sample has a length of its own.
bool ReverseSequence(Flow& f) {
  const auto carry = f.carry(0), lengths = f.carry(1);
  if (!carry || !lengths || carry->axis != f.axis("batch_axis", 1) || lengths->axis != 0 ||
      lengths->times != carry->times) {
    return false;
  }
  f.Set(0, *carry);
  return true;
}

// "bij,bjk->bik": the batch goes where the letter goes under which it comes.
bool Einsum(Flow& f) {
  std::string equation = f.attrs().s("equation");
  std::erase(equation, ' ');
  const size_t arrow = equation.find("->");
  if (arrow == equation.npos || equation.find('.') != equation.npos) return false;
  std::vector<std::string> terms = {""};
  for (char c : equation.substr(0, arrow)) {
    c == ',' ? terms.push_back("") : terms.back().push_back(c);
  }
  const std::string result = equation.substr(arrow + 2);
  if (std::ssize(terms) != f.inputs()) return false;
  std::optional<std::pair<char, int64_t>> batch;
  for (int i = 0; i < f.inputs(); ++i) {
    if (f.is_size(i) || f.rank(i) != std::ssize(terms[i])) return false;
    const auto carry = f.carry(i);
    if (!carry) continue;
    const std::pair letter(terms[i][carry->axis], carry->times);
    if (batch && *batch != letter) return false;
    batch = letter;
  }
  for (int i = 0; i < f.inputs(); ++i) {
    const auto count = std::ranges::count(terms[i], batch->first);
    if (count != (f.carry(i) ? 1 : 0)) return false;
  }
  const size_t axis = result.find(batch->first);
  if (axis == result.npos) return false;  // summed over
  f.Set(0, {static_cast<int>(axis), batch->second});
  return true;
}

// Sizes name the batch; scales that give the same sizes don't.
bool ResizeToSizes(Flow& f) {
  const auto sizes = f.ints(3);
  const Shape* from = f.shape(0);
  const bool stretches = f.attrs().s("keep_aspect_ratio_policy", "stretch") == "stretch";
  if (!sizes || !from || sizes->size() != from->size() || !stretches) return false;
  std::vector<float> scales;
  for (size_t i = 0; i < sizes->size(); ++i) {
    const Dim size = (*from)[i];
    if (!size.known() || size.size() < 1) return false;
    scales.push_back(static_cast<float>((*sizes)[i]) / static_cast<float>(size.size()));
    const float scaled = std::floor(static_cast<float>(size.size()) * scales.back());
    if (scaled != static_cast<float>((*sizes)[i])) return false;
  }
  const Carry carry = *f.carry(0);
  if (scales[carry.axis] != 1 || carry.times != 1) return false;
  f.SetScales(std::move(scales));
  f.Set(0, carry);
  return true;
}

bool Resize(Flow& f) {
  if (!f.only_first() || f.attrs().has("axes")) return false;
  if (f.has_input(3)) return !f.has_input(2) && ResizeToSizes(f);
  if (!f.has_input(2)) return false;
  const Shape* from = f.shape(0);
  const Shape* to = f.output_shape();
  const int axis = f.carry(0)->axis;
  // Scales that leave one sample as it is leave any number of them.
  if (!from || !to || from->size() != to->size() || f.dim(0, axis) < 0 ||
      (*from)[axis] != (*to)[axis] || f.carry(0)->times != 1) {
    return false;
  }
  f.Set(0, *f.carry(0));
  return true;
}

bool ShapeOf(Flow& f) {
  f.SetSizes();
  return true;
}

bool ConstantOfShape(Flow& f) {
  if (!f.symbolic_axis()) return false;
  f.Set(0, {*f.symbolic_axis(), 1});
  return true;
}

struct BatchRule {
  std::string_view ops;  // separated by blanks
  bool (*rule)(Flow&);
};
constexpr BatchRule kRules[] = {
    {"Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr "
     "BitwiseXor Cast Ceil Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp Floor Gelu "
     "Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual "
     "Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid "
     "Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor",
     Broadcast},
    {"AveragePool BatchNormalization Conv ConvInteger ConvTranspose DepthToSpace GlobalAveragePool "
     "GlobalLpPool GlobalMaxPool GroupNormalization InstanceNormalization LRN LpPool MaxPool "
     "QLinearConv SpaceToDepth",
     Leading},
    {"Hardmax LogSoftmax LpNormalization Softmax TopK", AlongAxis<-1>},
    {"Split", AlongAxis<0>},
    {"GatherElements ScatterElements", ElementsAlongAxis},
    {"CastLike", First},
    {"LayerNormalization RMSNormalization", BehindAxis},
    {"DequantizeLinear QuantizeLinear", Quantize},
    {"ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
     "ReduceSum ReduceSumSquare",
     Reduce},
    {"ArgMax ArgMin", ArgReduce},
    {"GRU LSTM RNN", Recurrent},
    {"Shape Size", ShapeOf},
    {"Concat", Concat},
    {"ConstantOfShape", ConstantOfShape},
    {"CumSum", CumSum},
    {"Einsum", Einsum},
    {"Expand", Expand},
    {"Flatten", Flatten},
    {"Gather", Gather},
    {"GatherND", GatherNd},
    {"Gemm", Gemm},
    {"MatMul", MatMul},
    {"OneHot", OneHot},
    {"Pad", Pad},
    {"Reshape", Reshape},
    {"Resize", Resize},
    {"ReverseSequence", ReverseSequence},
    {"Slice", Slice},
    {"Squeeze", Squeeze},
    {"Tile", Tile},
    {"Transpose", Transpose},
    {"Trilu", Trilu},
    {"Unsqueeze", Unsqueeze},
};

struct NoBatchRule {
  std::string_view ops;
  std::string_view reason;
};
constexpr NoBatchRule kNoRules[] = {
    {"DynamicQuantizeLinear", "its scale is of all samples together"},
    {"Compress NonZero", "it picks elements out of all samples"},
    {"EyeLike", "its rows are no samples"},
    {"Range", "a sequence of numbers has no samples"},
    {"ScatterND", "its indices count through all samples"},
    {"MatMulInteger QLinearMatMul", "pare doesn't follow a batch through it"},
};

// What computes with sizes and gives sizes.
constexpr std::string_view kSizeOps =
    "Add Cast Concat Div Equal Floor Gather Identity Max Min Mul ReduceProd Reshape Slice Squeeze "
    "Sub Unsqueeze Where";

bool Lists(std::string_view ops, std::string_view op) {
  for (size_t at = ops.find(op); at != ops.npos; at = ops.find(op, at + 1)) {
    const size_t end = at + op.size();
    if ((at == 0 || ops[at - 1] == ' ') && (end == ops.size() || ops[end] == ' ')) return true;
  }
  return false;
}

const BatchRule* FindRule(std::string_view op) {
  const auto rule = std::ranges::find_if(
      kRules, [&](const BatchRule& candidate) { return Lists(candidate.ops, op); });
  return rule == std::end(kRules) ? nullptr : rule;
}

}  // namespace

bool HasBatchRule(std::string_view op) { return FindRule(op) != nullptr; }

std::string_view WhyNoBatchRule(std::string_view op) {
  const auto entry = std::ranges::find_if(
      kNoRules, [&](const NoBatchRule& candidate) { return Lists(candidate.ops, op); });
  return entry == std::end(kNoRules) ? std::string_view() : entry->reason;
}

bool FollowBatch(Flow& flow, std::string& reason) {
  const std::string& op = flow.node().op;
  bool carries = false;
  for (int i = 0; i < flow.inputs(); ++i) carries |= flow.carry(i).has_value();
  if (!carries && Lists(kSizeOps, op)) {
    flow.SetSizes();
    return true;
  }
  const BatchRule* rule = FindRule(op);
  const bool from_sizes = op == "ConstantOfShape" || op == "Expand";
  if (!rule || (!carries && !from_sizes)) {
    const std::string_view why = WhyNoBatchRule(op);
    reason = why.empty() ? "how it treats a batch is not known" : why;
    return false;
  }
  if (rule->rule(flow)) return true;
  reason = "it may mix the samples of a batch, or its operands are fixed to a batch of 1";
  return false;
}

}  // namespace pare::onnx
