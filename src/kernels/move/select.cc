#include "kernels/move/select.h"

namespace pare::kernels {
namespace {

template <typename T>
void SelectAs(const SelectArgs& args) {
  const bool* condition = args.condition;
  const T* a = static_cast<const T*>(args.a);
  const T* b = static_cast<const T*>(args.b);
  T* y = static_cast<T*>(args.y);
  for (int64_t r = 0; r < args.rows; ++r) {
    for (int64_t c = 0; c < args.columns; ++c) {
      const T yes = a[c * args.a_step], no = b[c * args.b_step];
      y[c] = condition[c * args.condition_step] ? yes : no;
    }
    condition += args.condition_row;
    a += args.a_row;
    b += args.b_row;
    y += args.columns;
  }
}

}  // namespace

void Select(int64_t element_bytes, const SelectArgs& args) noexcept {
  switch (element_bytes) {
    case 1:
      return SelectAs<uint8_t>(args);
    case 2:
      return SelectAs<uint16_t>(args);
    case 4:
      return SelectAs<uint32_t>(args);
    default:
      return SelectAs<uint64_t>(args);
  }
}

}  // namespace pare::kernels
