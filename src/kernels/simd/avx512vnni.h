// AVX-512 with the dot product of bytes.
#pragma once

#define PARE_SIMD_NAMESPACE avx512vnni
#define PARE_SIMD_HAS_DOT_U8S8 1
#include "kernels/simd/avx512.h"
