// AVX2 with the 256-bit dot product of bytes.
#pragma once

#define PARE_SIMD_NAMESPACE avxvnni
#define PARE_SIMD_HAS_DOT_U8S8 1
#include "kernels/simd/avx2.h"
