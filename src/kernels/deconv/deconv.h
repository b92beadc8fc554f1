// f32 transposed convolution (ONNX ConvTranspose) of channels-last images: input pixel (iy, ix)
// adds x · w[ky, kx] to output pixel (iy · stride_h - pad_top + ky · dilation_h, ix · stride_w -
// pad_left + kx · dilation_w).
#pragma once

#include "kernels/conv/conv.h"

namespace pare::kernels {

// Shapes, arguments and the functions of a row are those of conv.
Rows<ConvKernel> DeconvRows();

// Never null: the scalar row takes every shape.
const Row<ConvKernel>* FindDeconv(const Cpu& cpu, const ConvShape& shape);

}  // namespace pare::kernels
