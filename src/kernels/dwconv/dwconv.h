// f32 depthwise convolution of channels-last images: one filter a channel, y = act(conv(x, w) +
// bias [+ residual]).
#pragma once

#include "kernels/conv/conv.h"

namespace pare::kernels {

// Shapes, arguments and the functions of a row are those of conv, with groups = in_c = out_c.
Rows<ConvKernel> DwConvRows();

// Never null: the scalar row takes every depthwise shape.
const Row<ConvKernel>* FindDwConv(const Cpu& cpu, const ConvShape& shape);

}  // namespace pare::kernels
