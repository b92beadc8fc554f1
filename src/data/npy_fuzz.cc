// The first byte chooses .npy or .npz, the rest is the file.
#include "base/cursor.h"
#include "data/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  uint64_t sum = 0;  // every byte that was promised must be there
  const auto read = [&](const pare::Tensor& tensor) {
    for (size_t i = 0; i < tensor.bytes(); ++i) sum += std::to_integer<uint8_t>(tensor.data()[i]);
  };
  if (data[0] & 1) {
    if (const auto tensor = pare::data::ParseNpy(bytes, nullptr)) read(*tensor);
  } else if (const auto tensors = pare::data::ParseNpz(bytes, nullptr)) {
    for (const auto& [name, tensor] : *tensors) read(tensor);
  }
  return sum == UINT64_MAX;
}
