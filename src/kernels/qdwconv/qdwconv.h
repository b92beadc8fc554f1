// Depthwise quantized convolution: groups == in_c == out_c. The contract, shapes and arguments are
// those of kernels/qconv/qconv.h, whose FindQConv looks here first. Rows here give u8 without a
// residual; shapes that none of them supports are served there.
#pragma once

#include "kernels/qconv/qconv.h"

namespace pare::kernels {

Rows<QConvKernel> QDwConvRows();

// Null where no row that the CPU has supports the shape.
const Row<QConvKernel>* FindQDwConv(const Cpu& cpu, const QConvShape& shape);

}  // namespace pare::kernels
