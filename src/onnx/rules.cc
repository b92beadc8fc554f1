// What changed between opsets and is no mere move of an attribute to an input. Softmax and Resize
// have files of their own.
#include <algorithm>

#include "onnx/changes.h"

namespace pare::onnx {
namespace {

using graph::Ints;
using graph::ValueId;

Tensor Int64s(const Ints& values) {
  return Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values);
}

// Gives input `i` `count` more dimensions of 1 behind its `rank` own.
void AppendOnes(const Migration& m, int i, int rank, int count) {
  Ints axes(count);
  for (int k = 0; k < count; ++k) axes[k] = rank + k;
  graph::Graph& g = m.graph;
  const std::string stem = g.value(m.node().outputs.front()).name;
  const ValueId axes_value = g.AddConstant(g.FreshName(Text(stem, "_axes")), Int64s(axes));
  const graph::NodeId unsqueeze =
      g.AddNode("Unsqueeze", {m.input(i), axes_value}, {g.FreshName(Text(stem, "_unsqueezed"))});
  m.SetInput(i, g.node(unsqueeze).outputs.front());
}

// Attributes that only said how to train, or repeated the default.
void Drop(const Migration& m, std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) m.attrs().erase(name);
}

}  // namespace

Status NotBefore(const Migration& m) {
  return Unsupported(Text("there is no ", m.node().op, " of this kind in opset ", m.opset));
}

Status UpgradeScan9(const Migration& m) {
  return Unsupported(Text("Scan in the form of opset ", m.opset, " is not supported"),
                     "export the model for opset 9 or newer");
}

// Before opset 7 the second operand was aligned by `axis`, and only where `broadcast` was set.
Status UpgradeBroadcast(const Migration& m) {
  const bool broadcast = m.attrs().i("broadcast", 0) != 0;
  const bool has_axis = m.attrs().has("axis");
  int64_t axis = m.attrs().i("axis", 0);
  Drop(m, {"broadcast", "axis"});
  if (!broadcast || !has_axis) return {};
  const int a = m.rank(m.input(0)), b = m.rank(m.input(1));
  if (b == 0) return {};
  if (a < 0 || b < 0 || m.node().outputs.empty()) {
    return Unsupported(
        Text("its operands are aligned by axis ", axis, ", but their ranks are unknown"),
        "convert the model to opset 7 or newer");
  }
  if (axis < 0) axis += a;
  if (axis < 0 || axis + b > a) {
    return Invalid(Text("operands of ranks ", a, " and ", b, " cannot be aligned at axis ", axis));
  }
  if (axis + b < a) AppendOnes(m, 1, b, static_cast<int>(a - axis - b));
  return {};
}

// Before opset 7 a slope of one dimension meant channels; afterwards it is broadcast from the
// right.
Status UpgradePRelu(const Migration& m) {
  const Tensor* slope = m.constant(1);
  if (m.rank(m.input(1)) != 1 || (slope && slope->count() == 1)) return {};
  const int rank = m.rank(m.input(0));
  if (rank < 0 || m.node().outputs.empty()) {
    return Unsupported("its slope is one a channel, but the rank of its input is unknown",
                       "convert the model to opset 7 or newer");
  }
  if (rank > 2) AppendOnes(m, 1, 1, rank - 2);
  return {};
}

// Cast named its type in words before opset 6.
Status UpgradeCastTo(const Migration& m) {
  static constexpr std::pair<std::string_view, int> kNames[] = {
      {"FLOAT", 1}, {"UINT8", 2}, {"INT8", 3},     {"UINT16", 4},  {"INT16", 5},   {"INT32", 6},
      {"INT64", 7}, {"BOOL", 9},  {"FLOAT16", 10}, {"DOUBLE", 11}, {"UINT32", 12}, {"UINT64", 13},
  };
  const std::string name = m.attrs().s("to");
  for (const auto& [known, number] : kNames) {
    if (name == known) m.attrs().set("to", int64_t{number});
  }
  return {};
}

Status UpgradeConcatAxis(const Migration& m) {
  if (!m.attrs().has("axis")) m.attrs().set("axis", int64_t{1});
  return {};
}

Status UpgradePad2(const Migration& m) {
  if (const graph::AttrValue* value = m.attrs().find("paddings")) {
    m.attrs().set("pads", graph::AttrValue(*value));
    m.attrs().erase("paddings");
  }
  return {};
}

Status DowngradePad18(const Migration& m) {
  return m.input(3) == ValueId::kNone ? Status() : NotBefore(m);
}

Status UpgradeBatchNorm7(const Migration& m) {
  Drop(m, {"is_test"});
  return {};
}

Status UpgradeBatchNorm9(const Migration& m) {
  if (m.attrs().i("spatial", 1) == 0) {
    return Unsupported("a normalisation with statistics for each place (spatial=0)",
                       "convert the model to opset 9 or newer");
  }
  Drop(m, {"spatial"});
  return {};
}

// Before opset 14 more than one output meant training; exporters listed them without using them.
Status UpgradeBatchNorm14(const Migration& m) {
  for (int i = static_cast<int>(m.node().outputs.size()) - 1; i > 0; --i) {
    const ValueId output = m.node().outputs[i];
    if (output == ValueId::kNone) continue;
    if (!m.graph.value(output).uses.empty() || m.graph.is_visible(output)) {
      return Unsupported("batch normalisation in training mode",
                         "export the model in evaluation mode (PyTorch: model.eval())");
    }
    m.graph.RemoveOutput(m.id, i);
  }
  return {};
}

Status UpgradeRecurrent7(const Migration& m) {
  Drop(m, {"output_sequence"});
  return {};
}

Status DropGemmBroadcast(const Migration& m) {
  Drop(m, {"broadcast"});
  return {};
}

Status DowngradeGemm11(const Migration& m) {
  return m.input(2) != ValueId::kNone ? Status() : NotBefore(m);  // C was required
}

Status UpgradeScatter(const Migration& m) {
  m.node().op = "ScatterElements";
  return {};
}

Status DowngradeScatter(const Migration& m) {
  m.node().op = "Scatter";
  return {};
}

Status UpgradeDropout7(const Migration& m) {
  Drop(m, {"is_test"});
  return {};
}

// Since opset 18 equal parts must be asked for.
Status UpgradeSplit18(const Migration& m) {
  if (m.input(1) == ValueId::kNone) {
    m.attrs().set("num_outputs", static_cast<int64_t>(m.node().outputs.size()));
  }
  return {};
}

Status DowngradeSplit18(const Migration& m) {
  const auto outputs = static_cast<int64_t>(m.node().outputs.size());
  if (m.attrs().i("num_outputs", outputs) != outputs) return NotBefore(m);
  Drop(m, {"num_outputs"});
  return {};
}

// The modes "linear" and "cubic" had other names.
Status UpgradeGridSample20(const Migration& m) {
  const std::string mode = m.attrs().s("mode");
  if (mode == "bilinear") m.attrs().set("mode", std::string("linear"));
  if (mode == "bicubic") m.attrs().set("mode", std::string("cubic"));
  return {};
}

Status DowngradeGridSample20(const Migration& m) {
  const std::string mode = m.attrs().s("mode");
  if (mode == "linear") m.attrs().set("mode", std::string("bilinear"));
  if (mode == "cubic") m.attrs().set("mode", std::string("bicubic"));
  return {};
}

constexpr std::string_view kTransform = "coordinate_transformation_mode";

Status UpgradeRoiAlign16(const Migration& m) {
  if (!m.attrs().has(kTransform)) m.attrs().set(kTransform, std::string("output_half_pixel"));
  return {};
}

Status DowngradeRoiAlign16(const Migration& m) {
  if (m.attrs().s(kTransform) != "output_half_pixel") return NotBefore(m);
  Drop(m, {kTransform});
  return {};
}

Status UpgradeDft20(const Migration& m) {
  m.SetConstant(2, "axis", Tensor::Scalar(m.attrs().i("axis", 1)));
  Drop(m, {"axis"});
  return {};
}

Status DowngradeDft20(const Migration& m) {
  int64_t axis = -2;
  if (m.input(2) != ValueId::kNone) {
    const Tensor* constant = m.constant(2);
    if (!constant || constant->count() != 1) return NotBefore(m);
    PARE_ASSIGN(const Ints axes, ToInt64s(*constant));
    axis = axes[0];
    m.SetInput(2, ValueId::kNone);
    m.TrimInputs();
  }
  m.attrs().set("axis", axis);
  return {};
}

// Scale and bias were one a group before opset 21; now they are one a channel.
Status UpgradeGroupNorm21(const Migration& m) {
  constexpr int64_t kMostChannels = 1 << 20;
  const int64_t groups = m.attrs().i("num_groups", 0);
  int64_t channels = -1;
  if (m.rank(m.input(0)) > 1) {
    const graph::Dim dim = (*m.graph.value(m.input(0)).type.shape)[1];
    if (dim.known()) channels = dim.size();
  }
  if (groups <= 0 || channels < 0 || channels % groups != 0 || channels > kMostChannels) {
    return Unsupported("its scale is one a group, but its number of channels is unknown",
                       "convert the model to opset 21 or newer");
  }
  for (int i : {1, 2}) {
    const Tensor* old = m.constant(i);
    if (!old || old->count() != groups) {
      return Unsupported("its scale and bias are no constants of one element a group",
                         "convert the model to opset 21 or newer");
    }
    PARE_ASSIGN(Tensor wide, Tensor::Make(old->dtype(), {channels}));
    const size_t size = SizeOf(old->dtype());
    for (int64_t c = 0; c < channels; ++c) {
      std::memcpy(wide.mutable_data() + c * size,
                  old->data() + c / (channels / groups) * static_cast<int64_t>(size), size);
    }
    m.SetConstant(i, i == 1 ? "scale" : "bias", std::move(wide));
  }
  return {};
}

// One scale a tensor was all there was before opset 13.
Status DowngradeQuantize13(const Migration& m) {
  const Tensor* scale = m.constant(1);
  const bool one = scale ? scale->count() == 1 : m.rank(m.input(1)) == 0;
  if (!one) return NotBefore(m);
  Drop(m, {"axis"});
  return {};
}

Status DowngradeQuantize21(const Migration& m) {
  for (int i : {0, 2}) {
    const DType dtype = m.dtype(i);
    if (dtype == DType::kU16 || dtype == DType::kI16 || IsNarrow(dtype)) return NotBefore(m);
  }
  return {};
}

Status UpgradeMicrosoftGelu(const Migration& m) {
  m.node().op = "Gelu";
  return {};
}

// Gelu(x + bias), by the formula with tanh.
Status UpgradeFastGelu(const Migration& m) {
  if (m.node().outputs.empty() || m.input(0) == ValueId::kNone) {
    return Invalid("it has no input or no output");
  }
  if (m.input(1) != ValueId::kNone) {
    graph::Graph& g = m.graph;
    const std::string stem = g.value(m.node().outputs.front()).name;
    const graph::NodeId add =
        g.AddNode("Add", {m.input(0), m.input(1)}, {g.FreshName(Text(stem, "_biased"))});
    m.SetInput(0, g.node(add).outputs.front());
    m.SetInput(1, ValueId::kNone);
    m.TrimInputs();
  }
  m.node().op = "Gelu";
  m.attrs().set("approximate", std::string("tanh"));
  return {};
}

Status DowngradeGelu20(const Migration& m) {
  if (!m.graph.opsets.contains("com.microsoft")) return NotBefore(m);
  const bool tanh = m.attrs().s("approximate", "none") == "tanh";
  m.node().op = tanh ? "com.microsoft.FastGelu" : "com.microsoft.Gelu";
  Drop(m, {"approximate"});
  return {};
}

}  // namespace pare::onnx
