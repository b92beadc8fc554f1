// Indices that the data brings: read, checked, and a fault where one is out of range.
#pragma once

#include "ops/prepare.h"

namespace pare::ops {

inline Status CheckIndexType(DType dtype) {
  if (dtype == DType::kI32 || dtype == DType::kI64) return {};
  return Invalid(Text("indices are ", DTypeName(dtype), ", not i32 or i64"));
}

// indices[i] within [−size, size), counted from the front; −1 and a fault where it is not.
inline int64_t IndexAt(DType dtype, const void* indices, int64_t i, int64_t size,
                       Fault* fault) noexcept {
  const int64_t index = dtype == DType::kI32 ? static_cast<const int32_t*>(indices)[i]
                                             : static_cast<const int64_t*>(indices)[i];
  if (index >= -size && index < size) return index < 0 ? index + size : index;
  fault->Raise("an index is out of range", index);
  return -1;
}

}  // namespace pare::ops
