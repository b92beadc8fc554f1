// Operands that are one number for all rows or channels, or one for each.
#pragma once

#include "ops/prepare.h"

namespace pare::ops {

// Whether the operand has an element for each of `count` rather than one for all; false where it is
// absent, too. An error where it has another count or another type: steps read it without a check.
Result<bool> ElementEach(const PrepareContext& context, int input, DType dtype, int64_t count);

}  // namespace pare::ops
