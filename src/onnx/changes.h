// What versions.cc's table is made of: one change of one operator at one opset.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string_view>

#include "graph/graph.h"

namespace pare::onnx {

// A node on its way to another version, and what is known around it.
struct Migration {
  graph::Graph& graph;
  graph::NodeId id;
  int64_t opset;  // upgrade: the version it is written in; downgrade: the version wanted
  // Element types as far as they can be told while operators are still in old forms.
  const std::map<graph::ValueId, DType>* dtypes = nullptr;

  graph::Node& node() const { return graph.mutable_node(id); }
  graph::Attrs& attrs() const { return node().attrs; }
  int inputs() const { return static_cast<int>(node().inputs.size()); }
  graph::ValueId input(int i) const {
    return i < inputs() ? node().inputs[i] : graph::ValueId::kNone;
  }
  const Tensor* constant(int i) const {
    return graph.is_constant(input(i)) ? &graph.value(input(i)).data : nullptr;
  }
  DType dtype(int i) const;
  // −1 where it is not known.
  int rank(graph::ValueId value) const;

  // Sets input `i`, which may lie beyond the last one.
  void SetInput(int i, graph::ValueId value) const;
  // Makes input `i` a new constant called after the node's output and `what`.
  void SetConstant(int i, std::string_view what, Tensor data) const;
  // Takes inputs away from the end while there is nothing in them.
  void TrimInputs() const;
};

using Rule = Status (*)(const Migration&);

// An attribute that became an input.
enum class Form : uint8_t {
  kNone,
  kInts,        // ints ↔ i64[n]
  kOneInt,      // int ↔ i64[1]
  kFloats,      // floats ↔ f32[n]
  kFloat,       // float ↔ f32[]
  kLikeInput0,  // float ↔ a scalar of the type of input 0
};
struct Move {
  std::string_view attribute;
  int input = 0;
  Form form = Form::kNone;
};
// An attribute that did not exist before; older forms mean `otherwise`.
struct Addition {
  std::string_view attribute;
  int64_t otherwise = 0;
};

struct Change {
  std::string_view op;
  int version;  // the first that has the newer form
  std::array<Move, 3> moves{};
  std::array<Addition, 3> additions{};
  Rule upgrade = nullptr;    // after the moves
  Rule downgrade = nullptr;  // before the moves
};

Status UpgradeMoves(const Migration& m, const Change& change);
Status DowngradeMoves(const Migration& m, const Change& change);

// The rules that are more than moves (rules.cc).
Status NotBefore(const Migration& m);  // a downgrade that there is none of
Status UpgradeScan9(const Migration& m);
Status UpgradeBroadcast(const Migration& m);
Status UpgradePRelu(const Migration& m);
Status UpgradeCastTo(const Migration& m);
Status UpgradeConcatAxis(const Migration& m);
Status UpgradeBatchNorm7(const Migration& m);
Status UpgradeBatchNorm9(const Migration& m);
Status UpgradeBatchNorm14(const Migration& m);
Status UpgradeRecurrent7(const Migration& m);
Status DropGemmBroadcast(const Migration& m);
Status DowngradeGemm11(const Migration& m);
Status UpgradePad2(const Migration& m);
Status DowngradePad18(const Migration& m);
Status UpgradeScatter(const Migration& m);
Status DowngradeScatter(const Migration& m);
Status UpgradeDropout7(const Migration& m);
Status UpgradeSplit18(const Migration& m);
Status DowngradeSplit18(const Migration& m);
Status UpgradeUpsample7(const Migration& m);
Status UpgradeUpsample10(const Migration& m);
Status DowngradeResize10(const Migration& m);
Status UpgradeResize11(const Migration& m);
Status DowngradeResize11(const Migration& m);
Status DowngradeResize13(const Migration& m);
Status UpgradeSoftmax13(const Migration& m);
Status DowngradeSoftmax13(const Migration& m);
Status UpgradeGridSample20(const Migration& m);
Status DowngradeGridSample20(const Migration& m);
Status UpgradeRoiAlign16(const Migration& m);
Status DowngradeRoiAlign16(const Migration& m);
Status UpgradeDft20(const Migration& m);
Status DowngradeDft20(const Migration& m);
Status UpgradeGroupNorm21(const Migration& m);
Status DowngradeQuantize13(const Migration& m);
Status DowngradeQuantize21(const Migration& m);
Status UpgradeMicrosoftGelu(const Migration& m);
Status UpgradeFastGelu(const Migration& m);
Status DowngradeGelu20(const Migration& m);

}  // namespace pare::onnx
