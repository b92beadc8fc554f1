// A convolution of images of pixels with a row of the conv families, for records whose weights are
// constant. The plain form is turned into pixels, and its result back, in steps of their own.
#pragma once

#include "kernels/conv/conv.h"
#include "ops/activation_attr.h"
#include "ops/conv.h"

namespace pare::ops {

// How the node's weights [a, b, c] become the kernel's [a, c, b].
enum class TurnWeights : uint8_t {
  kNot,
  kTapsFirst,  // [a, channels, taps] → [a, taps, channels]
  kTapsLast,   // [a, taps, channels] → [a, channels, taps]
};

kernels::ConvShape ImageShape(const ConvGeometry& conv);
// Inputs: x, w, b?, residual?; the activation is the node's attribute.
Status PrepareImageStep(PrepareContext& context, const ConvGeometry& conv,
                        const kernels::Row<kernels::ConvKernel>& row, TurnWeights turn);

}  // namespace pare::ops
