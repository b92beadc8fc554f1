// A line as vectors, the remainder as one of fewer lanes, so that one body serves both; compiled
// per ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// All lanes. Masks stand only where they must: a masked store is slow on AVX2.
struct Whole {};
PARE_INLINE F32 Get(const float* p, Whole) { return Load(p); }
PARE_INLINE F32 Get(const float* p, Tail t) { return Load(p, t); }
PARE_INLINE void Put(float* p, F32 x, Whole) { Store(p, x); }
PARE_INLINE void Put(float* p, F32 x, Tail t) { Store(p, x, t); }

// body(i, lanes) for the vectors at i of [begin, end); lanes is a Whole or a Tail.
template <typename Body>
PARE_INLINE void ForEachVector(Range range, Body&& body) {
  int64_t i = range.begin;
  for (; i + kLanes <= range.end; i += kLanes) body(i, Whole());
  if (i < range.end) body(i, FirstN(range.end - i));
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
