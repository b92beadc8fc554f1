#include <cstdlib>

#include "data/tar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto entries = pare::data::ListTar(std::as_bytes(std::span(data, size)));
  if (!entries) return 0;
  for (const pare::data::TarEntry& entry : *entries) {
    if (entry.offset > size || entry.size > size - entry.offset) std::abort();
  }
  return 0;
}
