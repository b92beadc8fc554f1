#include "kernels/move/move.h"

#include <cstring>

namespace pare::kernels {
namespace {

template <typename T>
void MoveRow(const T* x, T* y, int64_t size, int64_t from, int64_t to) {
  if (from == 1 && to == 1) {
    std::memcpy(y, x, static_cast<size_t>(size) * sizeof(T));
  } else if (from == 0 && to == 1) {
    const T value = *x;
    for (int64_t i = 0; i < size; ++i) y[i] = value;
  } else {
    for (int64_t i = 0; i < size; ++i) y[i * to] = x[i * from];
  }
}

template <typename T>
void MoveAs(const MoveBox& box, const void* x, void* y, int64_t row_begin, int64_t row_end) {
  const int row = box.loops - 1;
  int64_t at[kMaxMoveLoops];
  int64_t from = 0, to = 0, rest = row_begin;
  for (int i = row - 1; i >= 0; --i) {
    at[i] = rest % box.size[i];
    rest /= box.size[i];
    from += at[i] * box.from[i];
    to += at[i] * box.to[i];
  }
  for (int64_t r = row_begin; r < row_end; ++r) {
    MoveRow(static_cast<const T*>(x) + from, static_cast<T*>(y) + to, box.size[row], box.from[row],
            box.to[row]);
    for (int i = row - 1; i >= 0; --i) {
      from += box.from[i];
      to += box.to[i];
      if (++at[i] < box.size[i]) break;
      from -= at[i] * box.from[i];
      to -= at[i] * box.to[i];
      at[i] = 0;
    }
  }
}

template <typename T>
void FillAs(const void* element, void* y, int64_t count) {
  T value;
  std::memcpy(&value, element, sizeof value);
  for (int64_t i = 0; i < count; ++i) static_cast<T*>(y)[i] = value;
}

}  // namespace

int64_t MoveRows(const MoveBox& box) {
  int64_t rows = 1;
  for (int i = 0; i < box.loops - 1; ++i) rows *= box.size[i];
  return box.size[box.loops - 1] == 0 ? 0 : rows;
}

void Move(const MoveBox& box, const void* x, void* y, int64_t row_begin, int64_t row_end) noexcept {
  switch (box.element_bytes) {
    case 1:
      return MoveAs<uint8_t>(box, x, y, row_begin, row_end);
    case 2:
      return MoveAs<uint16_t>(box, x, y, row_begin, row_end);
    case 4:
      return MoveAs<uint32_t>(box, x, y, row_begin, row_end);
    default:
      return MoveAs<uint64_t>(box, x, y, row_begin, row_end);
  }
}

void Fill(int64_t element_bytes, const void* element, void* y, int64_t count) noexcept {
  switch (element_bytes) {
    case 1:
      return FillAs<uint8_t>(element, y, count);
    case 2:
      return FillAs<uint16_t>(element, y, count);
    case 4:
      return FillAs<uint32_t>(element, y, count);
    default:
      return FillAs<uint64_t>(element, y, count);
  }
}

}  // namespace pare::kernels
