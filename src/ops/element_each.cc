#include "ops/element_each.h"

namespace pare::ops {

Result<bool> ElementEach(const PrepareContext& context, int input, DType dtype, int64_t count) {
  if (!context.has_input(input)) return false;
  const Dims shape = context.shape(input);
  PARE_ASSIGN(const int64_t elements, CountOf(shape));
  if (context.dtype(input) != dtype || (elements != 1 && elements != count)) {
    return Invalid(Text("its input \"", context.input_value(input).name, "\" is ",
                        DTypeName(context.dtype(input)), DimsText(shape), ", and one ",
                        DTypeName(dtype), count == 1 ? "" : Text(" or ", count), " is meant"));
  }
  return elements != 1;
}

}  // namespace pare::ops
