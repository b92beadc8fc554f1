// NEON with the dot product of bytes (ARMv8.2 dotprod).
#pragma once

#define PARE_SIMD_NAMESPACE neondot
#define PARE_SIMD_HAS_DOT_S8S8 1
#include "kernels/simd/neon.h"
