// A batch on its way through operators that compute.
#include <algorithm>

#include "onnx/batch_rules.h"

namespace pare::onnx {
namespace {

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

// Input 0 carries the batch, and the others are the same for every sample, whatever their shapes.
bool First(Flow& f) {
  if (!f.only_first()) return false;
  f.SetAll(*f.carry(0));
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
    {"CastLike", First},
    {"LayerNormalization RMSNormalization", BehindAxis},
    {"DequantizeLinear QuantizeLinear", Quantize},
    {"ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
     "ReduceSum ReduceSumSquare",
     Reduce},
    {"ArgMax ArgMin", ArgReduce},
    {"GRU LSTM RNN", Recurrent},
    {"CumSum", CumSum},
    {"Einsum", Einsum},
    {"Gemm", Gemm},
    {"MatMul", MatMul},
    {"OneHot", OneHot},
    {"Trilu", Trilu},
};

}  // namespace

std::span<const BatchRule> BatchRulesOfNumbers() { return kRules; }

}  // namespace pare::onnx
