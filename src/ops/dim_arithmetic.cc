#include "ops/dim_arithmetic.h"

#include <algorithm>

namespace pare::ops {

using graph::Dim;
using graph::Shape;
using kernels::BinaryFunction;

namespace {

Dim OfSizes(BinaryFunction function, int64_t a, int64_t b) {
  int64_t result = 0;
  bool fits = true;
  switch (function) {
    case BinaryFunction::kAdd:
      fits = !__builtin_add_overflow(a, b, &result);
      break;
    case BinaryFunction::kSub:
      result = a - b;
      break;
    case BinaryFunction::kMul:
      fits = !__builtin_mul_overflow(a, b, &result);
      break;
    case BinaryFunction::kDiv:
    case BinaryFunction::kMod:
      fits = b != 0;
      if (fits) result = function == BinaryFunction::kDiv ? a / b : a % b;
      break;
    case BinaryFunction::kMax:
      result = std::max(a, b);
      break;
    case BinaryFunction::kMin:
      result = std::min(a, b);
      break;
    default:
      fits = false;
  }
  return fits && result >= 0 ? Dim(result) : Dim::Unknown();
}

// Equal(shape, −1), as exports of `expand` ask: no size is negative, whatever it is.
Dim EqualAt(const Shape* dims, const std::optional<std::vector<int64_t>>& constant,
            const Shape* other_dims, size_t i) {
  const Dim a = DimAt(dims, i), b = DimAt(other_dims, i);
  if (a.Same(b)) return Dim(1);
  if (a.known() && b.known()) return Dim(0);
  if (!constant || constant->empty()) return Dim::Unknown();
  const int64_t number = (*constant)[constant->size() == 1 ? 0 : i];
  return number < 0 && (b.known() || b.is_symbol()) ? Dim(0) : Dim::Unknown();
}

}  // namespace

Dim DimAt(const Shape* dims, size_t i) {
  if (!dims || dims->empty()) return Dim::Unknown();
  return (*dims)[dims->size() == 1 ? 0 : i];
}

Dim DimArithmetic(BinaryFunction function, Dim a, Dim b) {
  if (a.known() && b.known()) return OfSizes(function, a.size(), b.size());
  switch (function) {
    case BinaryFunction::kAdd:
      return a == Dim(0) ? b : b == Dim(0) ? a : Dim::Unknown();
    case BinaryFunction::kSub:
      return b == Dim(0) ? a : a.Same(b) ? Dim(0) : Dim::Unknown();
    case BinaryFunction::kMul:
      return a == Dim(1) ? b : b == Dim(1) ? a : Dim::Unknown();
    case BinaryFunction::kDiv:
      return b == Dim(1) ? a : Dim::Unknown();
    case BinaryFunction::kMax:
    case BinaryFunction::kMin:
      return a.Same(b) ? a : Dim::Unknown();
    default:
      return Dim::Unknown();
  }
}

void InferDimArithmetic(InferContext& context, BinaryFunction function) {
  const Shape* a = context.dims_value(0);
  const Shape* b = context.dims_value(1);
  if (!a || !b || a->empty() || b->empty()) return;
  const size_t count = std::max(a->size(), b->size());
  if ((a->size() != count && a->size() != 1) || (b->size() != count && b->size() != 1)) return;
  Shape dims(count);
  const bool equality = function == BinaryFunction::kEqual;
  const auto constant_a = equality ? context.ints(0) : std::nullopt;
  const auto constant_b = equality ? context.ints(1) : std::nullopt;
  for (size_t i = 0; i < count; ++i) {
    if (equality) {
      dims[i] = EqualAt(a, constant_a, b, i);
      if (dims[i] == Dim::Unknown()) dims[i] = EqualAt(b, constant_b, a, i);
    } else {
      dims[i] = DimArithmetic(function, DimAt(a, i), DimAt(b, i));
    }
  }
  context.set_dims_value(0, std::move(dims));
}

}  // namespace pare::ops
