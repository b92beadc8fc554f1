#include <algorithm>

#include "passes/passes.h"

namespace pare::passes {
namespace {

using graph::Ints;
using graph::Node;
using graph::ValueId;

// What a Pad of zeros adds before and behind each axis; nullopt where it is something else.
std::optional<Ints> ZeroPads(const graph::Graph& graph, const Node& pad, int rank) {
  if (pad.attrs.s("mode", "constant") != "constant" || pad.inputs.size() > 3) return std::nullopt;
  if (pad.inputs.size() == 3 && pad.inputs[2] != ValueId::kNone &&
      ScalarOf(graph, pad.inputs[2]) != 0.0f) {
    return std::nullopt;
  }
  const auto pads = ToInt64s(graph.value(pad.inputs[1]).data);
  if (!pads || std::ssize(*pads) != 2 * rank) return std::nullopt;
  return *pads;
}

bool FoldIntoConv(const Match& m, Patch& p) {
  const Node& conv = m.node("conv");
  if (!m.type("x").has_rank() || conv.attrs.i("channels_last", 0) != 0) return false;
  if (conv.attrs.s("auto_pad", "NOTSET") != "NOTSET") return false;
  const int rank = m.type("x").rank(), spatial = rank - 2;
  const auto pads = ZeroPads(m.graph(), m.node("pad"), rank);
  if (!pads || spatial < 1) return false;
  Ints merged = conv.attrs.ints("pads", Ints(static_cast<size_t>(2 * spatial)));
  for (int side = 0; side < 2; ++side) {
    for (int axis = 0; axis < rank; ++axis) {
      const int64_t added = (*pads)[side * rank + axis];
      if (added < 0 || (axis < 2 && added != 0)) return false;
      if (axis >= 2) merged[side * spatial + axis - 2] += added;
    }
  }
  return p.Replace(m["conv"], p.Copy(m["conv"]).WithInput(0, m["x"]).With("pads", merged));
}

std::span<const Rule> Rules() {
  static const Rule rules[] = {
      {"fold-pad",
       Op({"Conv"}, "conv")(
           Op({"Pad"}, "pad")(Any("x"), Const("pads"), Any("value").Optional()).UsedOnce(),
           Any("w"), Any("b").Optional()),
       FoldIntoConv},
  };
  return rules;
}

}  // namespace

Status FoldPad(PassContext& context) { return Rewrite(context, Rules()); }

}  // namespace pare::passes
