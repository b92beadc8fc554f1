// One lane, on any machine: for a family whose portable row is its loop over simd wrappers. A
// family's scalar *reference* doesn't use it: that stays plain C++.
#pragma once

#define PARE_SIMD_NAMESPACE scalar
#define PARE_SIMD_BYTES 4
#include "kernels/simd/emulated/vector.h"
