// DepthToSpace and SpaceToDepth: blocks of pixels against channels. Both are a transpose of the
// input seen with six axes.
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/move.h"
#include "ops/window.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

Result<int64_t> BlockOf(const NodeView& view) {
  const int64_t block = view.attrs().i("blocksize", 0);
  if (block < 1 || block > 1 << 16) return Invalid(Text("blocksize is ", block));
  return block;
}

Dim Times(Dim dim, int64_t by) {
  return dim.known() ? Dim(Work({dim.size(), by})) : Dim::Unknown();
}

Result<Dim> DividedBy(Dim dim, int64_t by, std::string_view what) {
  if (!dim.known()) return by == 1 ? dim : Dim::Unknown();
  if (dim.size() % by != 0) {
    return Invalid(Text("its ", what, ", ", dim.size(), ", is not divisible by ", by));
  }
  return Dim(dim.size() / by);
}

// grow: space from depth.
Status Infer(InferContext& context, bool grow) {
  PARE_ASSIGN(const int64_t block, BlockOf(context));
  const Shape* x = context.shape(0);
  if (!x) {
    context.set_output(0, context.dtype(0), Shape(4, Dim::Unknown()));
    return {};
  }
  if (x->size() != 4) return Invalid("its input must have four dimensions");
  const Layout layout = LayoutOf(context);
  Shape y = *x;
  const int channel = layout.channel_axis(4);
  if (grow) {
    PARE_ASSIGN(y[channel], DividedBy(y[channel], block * block, "number of channels"));
  } else {
    y[channel] = Times(y[channel], block * block);
  }
  for (int i : {0, 1}) {
    Dim& dim = y[layout.spatial_axis(i)];
    if (block == 1) continue;
    if (grow) {
      dim = Times(dim, block);
    } else {
      PARE_ASSIGN(dim, DividedBy(dim, block, i == 0 ? "height" : "width"));
    }
  }
  context.set_output(0, context.dtype(0), std::move(y));
  return {};
}
Status InferDepthToSpace(InferContext& context) { return Infer(context, true); }
Status InferSpaceToDepth(InferContext& context) { return Infer(context, false); }

// The input seen with six axes, and the order in which they form the output.
struct Blocks {
  Dims axes;
  std::vector<int> order;
};

Result<Blocks> DepthToSpaceBlocks(const NodeView& view) {
  PARE_ASSIGN(const int64_t b, BlockOf(view));
  const std::string mode = view.attrs().s("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return Invalid(Text("mode is \"", mode, "\""));
  const bool depth_first = mode == "DCR";
  const Dims x = view.input(0).dims();
  if (LayoutOf(view).channels_last) {
    const int64_t c = x[3] / (b * b);
    return depth_first ? Blocks{{x[0], x[1], x[2], b, b, c}, {0, 1, 3, 2, 4, 5}}
                       : Blocks{{x[0], x[1], x[2], c, b, b}, {0, 1, 4, 2, 5, 3}};
  }
  const int64_t c = x[1] / (b * b);
  return depth_first ? Blocks{{x[0], b, b, c, x[2], x[3]}, {0, 3, 4, 1, 5, 2}}
                     : Blocks{{x[0], c, b, b, x[2], x[3]}, {0, 1, 4, 2, 5, 3}};
}

Result<Blocks> SpaceToDepthBlocks(const NodeView& view) {
  PARE_ASSIGN(const int64_t b, BlockOf(view));
  const Dims x = view.input(0).dims();
  if (LayoutOf(view).channels_last) {
    return Blocks{{x[0], x[1] / b, b, x[2] / b, b, x[3]}, {0, 1, 3, 2, 4, 5}};
  }
  return Blocks{{x[0], x[1], x[2] / b, b, x[3] / b, b}, {0, 3, 5, 1, 2, 4}};
}

using ReadBlocks = Result<Blocks> (*)(const NodeView&);

template <ReadBlocks kRead>
Status PrepareBlocks(PrepareContext& context) {
  PARE_ASSIGN(const Blocks blocks, kRead(context));
  return PreparePermutation(context, blocks.axes, blocks.order);
}

// The six axes of dy, back in the order of the input's.
template <ReadBlocks kRead>
Status GradBlocks(GradContext& g) {
  PARE_ASSIGN(const Blocks blocks, kRead(g));
  Dims permuted;
  std::vector<int64_t> inverse(blocks.order.size());
  for (size_t i = 0; i < inverse.size(); ++i) {
    permuted.push_back(blocks.axes[blocks.order[i]]);
    inverse[blocks.order[i]] = static_cast<int64_t>(i);
  }
  g.gives(0, Reshape(Transpose(Reshape(g.dy(), permuted), inverse), g.in_shape(0)));
  return {};
}

// Position p of the deep axis goes with channel p % c ("DCR"), or with p / block² ("CRD").
void TieBlockedDepth(ChannelContext& c, Place deep, Place shallow, int64_t inner) {
  c.Tie(In(0, 0), Out(0));
  c.TieFactor(deep, shallow, inner);
}
void TieDepthToSpace(ChannelContext& c) {
  const auto block = BlockOf(c);
  if (!block) return;
  const bool depth_first = c.attrs().s("mode", "DCR") == "DCR";
  TieBlockedDepth(c, In(0, 1), Out(1), depth_first ? 1 : *block * *block);
}
void TieSpaceToDepth(ChannelContext& c) { TieBlockedDepth(c, Out(1), In(0, 1), 1); }

}  // namespace

extern constinit const OpDef kDepthToSpace{.name = "DepthToSpace",
                                           .inputs = {{{"x"}}},
                                           .outputs = {{{"y"}}},
                                           .infer = InferDepthToSpace,
                                           .prepare = PrepareBlocks<DepthToSpaceBlocks>,
                                           .grad = {.emit = GradBlocks<DepthToSpaceBlocks>},
                                           .quant = kSameScaleRule,
                                           .channels = {.tie = TieDepthToSpace}};

extern constinit const OpDef kSpaceToDepth{.name = "SpaceToDepth",
                                           .inputs = {{{"x"}}},
                                           .outputs = {{{"y"}}},
                                           .infer = InferSpaceToDepth,
                                           .prepare = PrepareBlocks<SpaceToDepthBlocks>,
                                           .grad = {.emit = GradBlocks<SpaceToDepthBlocks>},
                                           .quant = kSameScaleRule,
                                           .channels = {.tie = TieSpaceToDepth}};

}  // namespace pare::ops
