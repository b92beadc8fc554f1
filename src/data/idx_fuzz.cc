#include "data/idx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensor = pare::data::ParseIdx(std::as_bytes(std::span(data, size)), nullptr);
  if (!tensor) return 0;
  if (tensor->bytes() > size) __builtin_trap();
  uint8_t sum = 0;  // all of it can be read
  for (size_t i = 0; i < tensor->bytes(); ++i) sum ^= std::to_integer<uint8_t>(tensor->data()[i]);
  volatile uint8_t read = sum;
  (void)read;
  return 0;
}
