// Pictures, decoded and then resized to a size that the first two bytes give.
#include "data/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto bytes = std::as_bytes(std::span(data + 2, size - 2));
  const auto image = pare::data::DecodeImage(bytes, 1 << 16);
  if (!image) return 0;
  const auto resized = pare::data::ResizeBilinear(*image, 1 + data[0] % 64, 1 + data[1] % 64);
  if (!resized || resized->shape()[0] != 1 + data[0] % 64) __builtin_trap();
  return 0;
}
