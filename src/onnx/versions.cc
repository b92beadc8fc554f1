#include "onnx/versions.h"

#include <algorithm>

#include "onnx/changes.h"
#include "onnx/messages.h"
#include "ops/node_view.h"

namespace pare::onnx {
namespace {

constexpr int kAlways = 1000;  // a version that no file has: the upgrade is for every file

constexpr int64_t kNever = INT64_MIN;  // no attribute of this value is left out

// THE list of changes, by version: upgrades walk it down, downgrades up.
// {op, version, moves, additions, upgrade, downgrade}
constexpr Change kChanges[] = {
    {"Pad", 2, {}, {}, UpgradePad2, nullptr},
    {"Concat", 4, {}, {}, UpgradeConcatAxis, nullptr},
    {"Reshape", 5, {{{"shape", 1, Form::kInts}}}, {}, nullptr, nullptr},
    {"Cast", 6, {}, {}, UpgradeCastTo, nullptr},
    {"Add", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"Sub", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"Mul", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"Div", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"Pow", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"And", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"Or", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"Xor", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"Equal", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"Greater", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"Less", 7, {}, {}, UpgradeBroadcast, nullptr},
    {"PRelu", 7, {}, {}, UpgradePRelu, nullptr},
    {"Gemm", 7, {}, {}, DropGemmBroadcast, nullptr},
    {"BatchNormalization", 7, {}, {}, UpgradeBatchNorm7, nullptr},
    {"Dropout", 7, {}, {}, UpgradeDropout7, nullptr},
    {"LSTM", 7, {}, {}, UpgradeRecurrent7, nullptr},
    {"GRU", 7, {}, {}, UpgradeRecurrent7, nullptr},
    {"RNN", 7, {}, {}, UpgradeRecurrent7, nullptr},
    {"Upsample", 7, {}, {}, UpgradeUpsample7, nullptr},
    {"Expand", 8, {}, {}, nullptr, NotBefore},
    {"Upsample", 9, {{{"scales", 1, Form::kFloats}}}, {}, nullptr, nullptr},
    {"BatchNormalization", 9, {}, {}, UpgradeBatchNorm9, nullptr},
    {"ConstantOfShape", 9, {}, {}, nullptr, NotBefore},
    {"Erf", 9, {}, {}, nullptr, NotBefore},
    {"IsNaN", 9, {}, {}, nullptr, NotBefore},
    {"NonZero", 9, {}, {}, nullptr, NotBefore},
    {"OneHot", 9, {}, {}, nullptr, NotBefore},
    {"Scan", 9, {}, {}, UpgradeScan9, nullptr},
    {"Sign", 9, {}, {}, nullptr, NotBefore},
    {"Sinh", 9, {}, {}, nullptr, NotBefore},
    {"Cosh", 9, {}, {}, nullptr, NotBefore},
    {"Where", 9, {}, {}, nullptr, NotBefore},
    {"Resize", 10, {}, {}, nullptr, DowngradeResize10},
    {"Upsample", 10, {}, {}, UpgradeUpsample10, nullptr},
    {"MaxPool", 10, {}, {{{"ceil_mode", 0}, {"dilations", 1}}}, nullptr, nullptr},
    {"AveragePool", 10, {}, {{{"ceil_mode", 0}}}, nullptr, nullptr},
    {"Slice",
     10,
     {{{"starts", 1, Form::kInts}, {"ends", 2, Form::kInts}, {"axes", 3, Form::kInts}}},
     {},
     nullptr,
     nullptr},
    {"TopK", 10, {{{"k", 1, Form::kOneInt}}}, {}, nullptr, nullptr},
    {"ConvInteger", 10, {}, {}, nullptr, NotBefore},
    {"DequantizeLinear", 10, {}, {}, nullptr, NotBefore},
    {"IsInf", 10, {}, {}, nullptr, NotBefore},
    {"MatMulInteger", 10, {}, {}, nullptr, NotBefore},
    {"Mod", 10, {}, {}, nullptr, NotBefore},
    {"NonMaxSuppression", 10, {}, {}, nullptr, NotBefore},
    {"QLinearConv", 10, {}, {}, nullptr, NotBefore},
    {"QLinearMatMul", 10, {}, {}, nullptr, NotBefore},
    {"QuantizeLinear", 10, {}, {}, nullptr, NotBefore},
    {"RoiAlign", 10, {}, {}, nullptr, NotBefore},
    {"Clip",
     11,
     {{{"min", 1, Form::kLikeInput0}, {"max", 2, Form::kLikeInput0}}},
     {},
     nullptr,
     nullptr},
    {"Pad",
     11,
     {{{"pads", 1, Form::kInts}, {"value", 2, Form::kLikeInput0}}},
     {},
     nullptr,
     nullptr},
    {"Gemm", 11, {}, {}, nullptr, DowngradeGemm11},
    {"Resize", 11, {}, {}, UpgradeResize11, DowngradeResize11},
    {"Scatter", 11, {}, {}, UpgradeScatter, nullptr},
    {"ScatterElements", 11, {}, {}, nullptr, DowngradeScatter},
    {"TopK", 11, {}, {{{"largest", 1}, {"sorted", 1}}}, nullptr, nullptr},
    {"BitShift", 11, {}, {}, nullptr, NotBefore},
    {"CumSum", 11, {}, {}, nullptr, NotBefore},
    {"Det", 11, {}, {}, nullptr, NotBefore},
    {"DynamicQuantizeLinear", 11, {}, {}, nullptr, NotBefore},
    {"GatherElements", 11, {}, {}, nullptr, NotBefore},
    {"GatherND", 11, {}, {}, nullptr, NotBefore},
    {"Range", 11, {}, {}, nullptr, NotBefore},
    {"Round", 11, {}, {}, nullptr, NotBefore},
    {"ScatterND", 11, {}, {}, nullptr, NotBefore},
    {"ArgMax", 12, {}, {{{"select_last_index", 0}}}, nullptr, nullptr},
    {"ArgMin", 12, {}, {{{"select_last_index", 0}}}, nullptr, nullptr},
    {"GatherND", 12, {}, {{{"batch_dims", 0}}}, nullptr, nullptr},
    {"Dropout", 12, {{{"ratio", 1, Form::kFloat}}}, {}, nullptr, nullptr},
    {"Celu", 12, {}, {}, nullptr, NotBefore},
    {"Einsum", 12, {}, {}, nullptr, NotBefore},
    {"GreaterOrEqual", 12, {}, {}, nullptr, NotBefore},
    {"LessOrEqual", 12, {}, {}, nullptr, NotBefore},
    {"Squeeze", 13, {{{"axes", 1, Form::kInts}}}, {}, nullptr, nullptr},
    {"Unsqueeze", 13, {{{"axes", 1, Form::kInts}}}, {}, nullptr, nullptr},
    {"ReduceSum", 13, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"Split", 13, {{{"split", 1, Form::kInts}}}, {}, nullptr, nullptr},
    {"Softmax", 13, {}, {}, UpgradeSoftmax13, DowngradeSoftmax13},
    {"LogSoftmax", 13, {}, {}, UpgradeSoftmax13, DowngradeSoftmax13},
    {"Hardmax", 13, {}, {}, UpgradeSoftmax13, DowngradeSoftmax13},
    {"Resize", 13, {}, {}, nullptr, DowngradeResize13},
    {"DequantizeLinear", 13, {}, {}, nullptr, DowngradeQuantize13},
    {"QuantizeLinear", 13, {}, {}, nullptr, DowngradeQuantize13},
    {"BatchNormalization", 14, {}, {{{"training_mode", 0}}}, UpgradeBatchNorm14, nullptr},
    {"Reshape", 14, {}, {{{"allowzero", 0}}}, nullptr, nullptr},
    {"LSTM", 14, {}, {{{"layout", 0}}}, nullptr, nullptr},
    {"GRU", 14, {}, {{{"layout", 0}}}, nullptr, nullptr},
    {"RNN", 14, {}, {{{"layout", 0}}}, nullptr, nullptr},
    {"HardSwish", 14, {}, {}, nullptr, NotBefore},
    {"Trilu", 14, {}, {}, nullptr, NotBefore},
    {"Shape", 15, {}, {{{"start", 0}, {"end", kNever}}}, nullptr, nullptr},
    {"CastLike", 15, {}, {}, nullptr, NotBefore},
    {"RoiAlign", 16, {}, {}, UpgradeRoiAlign16, DowngradeRoiAlign16},
    {"GridSample", 16, {}, {}, nullptr, NotBefore},
    {"DFT", 17, {}, {}, nullptr, NotBefore},
    {"LayerNormalization", 17, {}, {}, nullptr, NotBefore},
    {"STFT", 17, {}, {}, nullptr, NotBefore},
    {"Pad", 18, {}, {}, nullptr, DowngradePad18},
    {"ReduceL1", 18, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"ReduceL2", 18, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"ReduceLogSum", 18, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"ReduceLogSumExp", 18, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"ReduceMax", 18, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"ReduceMean", 18, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"ReduceMin", 18, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"ReduceProd", 18, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"ReduceSumSquare", 18, {{{"axes", 1, Form::kInts}}}, {{{"noop_with_empty_axes", 0}}}},
    {"Resize", 18, {}, {{{"antialias", 0}, {"axes", -1}}}, nullptr, nullptr},
    {"Split", 18, {}, {}, UpgradeSplit18, DowngradeSplit18},
    {"BitwiseAnd", 18, {}, {}, nullptr, NotBefore},
    {"BitwiseNot", 18, {}, {}, nullptr, NotBefore},
    {"BitwiseOr", 18, {}, {}, nullptr, NotBefore},
    {"BitwiseXor", 18, {}, {}, nullptr, NotBefore},
    {"CenterCropPad", 18, {}, {}, nullptr, NotBefore},
    {"Col2Im", 18, {}, {}, nullptr, NotBefore},
    {"Mish", 18, {}, {}, nullptr, NotBefore},
    {"AveragePool", 19, {}, {{{"dilations", 1}}}, nullptr, nullptr},
    {"Cast", 19, {}, {{{"saturate", 1}}}, nullptr, nullptr},
    {"QuantizeLinear", 19, {}, {{{"saturate", 1}}}, nullptr, nullptr},
    {"DFT", 20, {}, {}, UpgradeDft20, DowngradeDft20},
    {"GridSample", 20, {}, {}, UpgradeGridSample20, DowngradeGridSample20},
    {"Gelu", 20, {}, {}, nullptr, DowngradeGelu20},
    {"AffineGrid", 20, {}, {}, nullptr, NotBefore},
    {"GroupNormalization", 21, {}, {}, UpgradeGroupNorm21, NotBefore},
    {"DequantizeLinear", 21, {}, {{{"block_size", 0}}}, nullptr, DowngradeQuantize21},
    {"QuantizeLinear",
     21,
     {},
     {{{"block_size", 0}, {"output_dtype", 0}}},
     nullptr,
     DowngradeQuantize21},
    {"DequantizeLinear", 23, {}, {{{"output_dtype", 0}}}, nullptr, nullptr},
    {"QuantizeLinear", 23, {}, {{{"precision", 0}}}, nullptr, nullptr},
    {"Attention", 23, {}, {}, nullptr, NotBefore},
    {"RMSNormalization", 23, {}, {}, nullptr, NotBefore},
    {"RotaryEmbedding", 23, {}, {}, nullptr, NotBefore},
    {"Swish", 24, {}, {}, nullptr, NotBefore},
    {"TensorScatter", 24, {}, {}, nullptr, NotBefore},
    {"com.microsoft.Gelu", kAlways, {}, {}, UpgradeMicrosoftGelu, nullptr},
    {"com.microsoft.FastGelu", kAlways, {}, {}, UpgradeFastGelu, nullptr},
};
static_assert(std::ranges::is_sorted(kChanges, {}, &Change::version));

Error InNode(const graph::Graph& graph, const graph::Node& node, const Error& error) {
  return error.at(ops::NodePath(graph, node));
}

// What can be told of a result's element type before inference can run: most operators give what
// their first input has. Only the type of constants that were attributes depends on it.
DType GuessOutput(const Migration& m) {
  const std::string& op = m.node().op;
  static constexpr std::string_view kInt64[] = {"Shape", "Size", "ArgMax", "ArgMin", "NonZero"};
  static constexpr std::string_view kBool[] = {"Equal", "Greater", "Less",  "Not",  "And",
                                               "Or",    "Xor",     "IsNaN", "IsInf"};
  if (std::ranges::find(kInt64, op) != std::end(kInt64)) return DType::kI64;
  if (std::ranges::find(kBool, op) != std::end(kBool)) return DType::kBool;
  if (op == "Cast") return DTypeFromOnnx(static_cast<int>(m.attrs().i("to", 0) & 0xff));
  if (op == "ConstantOfShape") {
    const Tensor value = m.attrs().tensor("value");
    return value ? value.dtype() : DType::kF32;
  }
  if (op == "Where" || op == "DequantizeLinear") return m.dtype(1);
  if (op == "QuantizeLinear" || op == "OneHot") return m.dtype(2);
  return m.dtype(0);
}

Status UpgradeNode(const Migration& m) {
  if (m.opset < 6) m.attrs().erase("consumed_inputs");
  for (const Change& change : kChanges) {
    if (change.op != m.node().op || change.version <= m.opset) continue;
    PARE_TRY(UpgradeMoves(m, change));
    if (change.upgrade) PARE_TRY(change.upgrade(m));
  }
  return {};
}

Status DowngradeNode(const Migration& m) {
  for (auto change = std::rbegin(kChanges); change != std::rend(kChanges); ++change) {
    if (change->op != m.node().op || change->version <= m.opset) continue;
    if (change->downgrade) PARE_TRY(change->downgrade(m));
    PARE_TRY(DowngradeMoves(m, *change));
  }
  return {};
}

}  // namespace

Status Upgrade(graph::Graph& graph, std::span<const int64_t> versions) {
  std::map<graph::ValueId, DType> dtypes;
  for (graph::NodeId id : graph.Order()) {
    const Migration m{graph, id, versions[static_cast<size_t>(id)], &dtypes};
    const Status status = UpgradeNode(m);
    if (!status) return Fail(InNode(graph, graph.node(id), status.error()));
    for (graph::ValueId output : graph.node(id).outputs) {
      if (output != graph::ValueId::kNone) dtypes[output] = GuessOutput(m);
    }
  }
  return {};
}

Status Downgrade(graph::Graph& graph, int64_t opset) {
  for (graph::NodeId id : graph.Order()) {
    if (!graph.node(id).live) continue;  // taken into another node
    const Status status = DowngradeNode({graph, id, opset});
    if (!status) return Fail(InNode(graph, graph.node(id), status.error()));
  }
  return {};
}

}  // namespace pare::onnx
