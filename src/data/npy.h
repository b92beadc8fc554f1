// NumPy's files: .npy (one array) and .npz (a zip of arrays by name).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/tensor.h"
#include "platform/file.h"

namespace pare::data {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// The array in `bytes`, which `owner` keeps alive. Versions 1–3, C and Fortran order, both byte
// orders. Shares the bytes where their layout allows it.
Result<Tensor> ParseNpy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

// Maps the file: a large array costs memory only where it is read.
Result<Tensor> LoadNpy(const std::string& path);
Status SaveNpy(const std::string& path, const Tensor& tensor);  // atomically

// The arrays of the zip in their order there, without ".npy" in the names. Stored members are
// mapped, deflated ones are unpacked into memory.
Result<NamedTensors> ParseNpz(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
// The same of a file that is read as a whole, with its checksums.
Result<NamedTensors> LoadNpz(const std::string& path);
Status SaveNpz(const std::string& path, const NamedTensors& tensors);  // atomically, stored

// An array whose bytes lie in several places, one behind the other in the file.
struct ArrayInParts {
  std::string name;
  DType dtype;
  Dims shape;
  std::vector<std::span<const std::byte>> parts;
};
Status SaveNpz(const std::string& path, std::span<const ArrayInParts> arrays);  // likewise

}  // namespace pare::data
