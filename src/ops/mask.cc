// pare.Mask: x where the mask is 1, 0 where it is 0, for training that shall leave zeros alone.
#include "ops/binary.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"

namespace pare::ops {
namespace {

Status PrepareMask(PrepareContext& context) {
  if (context.shape(0) != context.shape(1)) {
    return Invalid(
        Text("x is ", DimsText(context.shape(0)), ", its mask ", DimsText(context.shape(1))));
  }
  return AddBinaryStep(context, kernels::BinaryFunction::kMul);
}

// dx = dy · mask. The mask is no number to train: it gets nothing.
Status GradMask(GradContext& g) {
  if (g.wants(0)) g.gives(0, g.dy() * g.in(1));
  return {};
}

}  // namespace

extern constinit const OpDef kMask{
    .name = "pare.Mask",
    .inputs = {{{"x"}, {"mask"}}},
    .outputs = {{{"y"}}},
    .infer = InferSameType,
    .prepare = PrepareMask,
    .grad = {.emit = GradMask, .parameters = Inputs({0})},
    .quant = {.keep_float = "it goes into the weights before they are quantized"},
    .channels = kOfTraining,
    .cost = PerElement<1>,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
