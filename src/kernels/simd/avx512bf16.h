// AVX-512 with bfloat16.
#pragma once

#define PARE_SIMD_NAMESPACE avx512bf16
#include "kernels/simd/avx512.h"
