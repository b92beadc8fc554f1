// The scalar reference of Activation.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels {

float Activate(const Activation& activation, float x) noexcept;

}  // namespace pare::kernels
