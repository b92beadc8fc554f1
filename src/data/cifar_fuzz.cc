// A binary of CIFAR records beside names of classes, which are what it begins with.
#include "data/dataset_parts.h"
#include "data/fuzz_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const pare::data::FuzzFolder folder;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string path = folder.Write("some.bin", bytes);
  folder.Write("batches.meta.txt", bytes.substr(0, 64));
  const auto dataset = pare::data::OpenCifar(path, {});
  if (!dataset) return 0;
  for (int64_t i = 0; i < (*dataset)->size(); ++i) {
    const auto sample = (*dataset)->Get(i);
    if (!sample || sample->inputs[0].tensor.bytes() != 3072) __builtin_trap();
    if (sample->label != (*dataset)->label(i) || sample->label > 255) __builtin_trap();
  }
  return 0;
}
