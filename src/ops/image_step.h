// A convolution of images of pixels with a row of the conv families. The plain form is turned into
// pixels, and its result back, in steps of their own; weights that move are packed in one.
#pragma once

#include "kernels/conv/conv.h"
#include "ops/activation_attr.h"
#include "ops/conv.h"

namespace pare::ops {

kernels::ConvShape ImageShape(const ConvGeometry& conv);
// How the node's weights lie.
inline kernels::TapOrder TapOrderOf(const ConvGeometry& conv) {
  return conv.layout.channels_last ? kernels::TapOrder::kFirst : kernels::TapOrder::kLast;
}

struct ImageConv {
  kernels::ConvShape shape;
  const kernels::Row<kernels::ConvKernel>* row;
  kernels::ConvWeights weights;  // of input 1, without its data
};
// The convolution by the best row of conv or, where it is depthwise, of dwconv.
ImageConv MakeImageConv(const PrepareContext& context, const ConvGeometry& conv,
                        const kernels::ConvShape& shape, const kernels::ConvWeights& weights);
// Inputs: x, w, b?, residual?; the activation is the node's attribute.
Status PrepareImageStep(PrepareContext& context, const ConvGeometry& conv, const ImageConv& image);

}  // namespace pare::ops
