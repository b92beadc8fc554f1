#include "data/idx.h"

#include <algorithm>
#include <cstring>

#include "base/cursor.h"

namespace pare::data {
namespace {

DType TypeOf(std::byte code) {
  switch (std::to_integer<int>(code)) {
    case 0x08:
      return DType::kU8;
    case 0x09:
      return DType::kI8;
    case 0x0b:
      return DType::kI16;
    case 0x0c:
      return DType::kI32;
    case 0x0d:
      return DType::kF32;
    case 0x0e:
      return DType::kF64;
    default:
      return DType::kNone;
  }
}

}  // namespace

bool IsIdx(std::span<const std::byte> bytes) {
  return bytes.size() >= 4 && bytes[0] == std::byte{0} && bytes[1] == std::byte{0} &&
         TypeOf(bytes[2]) != DType::kNone && bytes[3] >= std::byte{1} && bytes[3] <= std::byte{8};
}

Result<Tensor> ParseIdx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  if (!IsIdx(bytes)) return Invalid("is no IDX file");
  const DType dtype = TypeOf(bytes[2]);
  ByteCursor cursor(bytes);
  cursor.Skip(4);
  Dims shape;
  for (int i = 0; i < std::to_integer<int>(bytes[3]); ++i) {
    const auto size = cursor.Big<uint32_t>();
    if (!size) return Invalid("the IDX file is cut off in its header");
    shape.push_back(*size);
  }
  PARE_ASSIGN(const int64_t count, CountOf(shape));
  const size_t element = SizeOf(dtype);
  if (static_cast<uint64_t>(count) > cursor.remaining() / element) {
    return Invalid(Text("is cut off: the shape ", DimsText(shape), " needs ", count, " × ", element,
                        " bytes, and ", cursor.remaining(), " are there"),
                   "copy or write the file anew");
  }
  const auto data = *cursor.Take(count * element);
  if (element == 1) return Tensor::View(dtype, std::move(shape), data.data(), std::move(owner));
  PARE_ASSIGN(Tensor tensor, Tensor::Make(dtype, std::move(shape)));
  std::byte* out = tensor.mutable_data();
  if (!data.empty()) std::memcpy(out, data.data(), data.size());
  for (size_t i = 0; i < data.size(); i += element) std::reverse(out + i, out + i + element);
  return tensor;
}

}  // namespace pare::data
