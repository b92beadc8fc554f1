// A tensor of known shape: bytes with an owner. Copies share the bytes.
#pragma once

#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/status.h"

namespace pare {

using Dims = std::vector<int64_t>;  // each ≥ 0; [] is a scalar

// The product of `dims`, or an error where it does not fit the machine (shapes come from outside).
Result<int64_t> CountOf(std::span<const int64_t> dims);
std::string DimsText(std::span<const int64_t> dims);  // "[1,3,224,224]"

class Tensor {
 public:
  Tensor() = default;  // no tensor: dtype kNone

  // Uninitialised bytes of its own, aligned to 64. Fails where the size overflows or memory is
  // short.
  static Result<Tensor> Make(DType dtype, Dims shape);
  static Result<Tensor> Zeros(DType dtype, Dims shape);
  // Bytes that `owner` keeps alive (a mapped file, an arena). `data` must be aligned to the
  // element.
  static Tensor View(DType dtype, Dims shape, const void* data, std::shared_ptr<const void> owner);

  template <typename T>
  static Tensor Of(Dims shape, std::span<const T> values);
  template <typename T>
  static Tensor Of(Dims shape, std::initializer_list<T> values) {
    return Of<T>(std::move(shape), std::span<const T>(values.begin(), values.size()));
  }
  template <typename T>
  static Tensor Scalar(T value) {
    return Of<T>({}, {value});
  }

  explicit operator bool() const { return dtype_ != DType::kNone; }
  DType dtype() const { return dtype_; }
  const Dims& shape() const { return shape_; }
  int rank() const { return static_cast<int>(shape_.size()); }
  int64_t count() const { return count_; }
  size_t bytes() const { return static_cast<size_t>(count_) * SizeOf(dtype_); }

  const std::byte* data() const { return data_; }
  // Only for tensors from Make/Zeros/Of, by whoever made them and before they are shared.
  std::byte* mutable_data() { return const_cast<std::byte*>(data_); }

  // The elements; T must be the C++ type of dtype() in memory.
  template <typename T>
  std::span<const T> as() const {
    PARE_DCHECK(DTypeOf<T> == InMemory(dtype_));
    return {reinterpret_cast<const T*>(data_), static_cast<size_t>(count_)};
  }
  template <typename T>
  std::span<T> mutable_as() {
    PARE_DCHECK(DTypeOf<T> == InMemory(dtype_));
    return {reinterpret_cast<T*>(mutable_data()), static_cast<size_t>(count_)};
  }

  // The same bytes under another shape of the same count.
  Tensor Reshaped(Dims shape) const;
  // Who keeps the bytes alive: equal owners and data mean the same bytes (a key for caches).
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  DType dtype_ = DType::kNone;
  Dims shape_;
  int64_t count_ = 0;
  const std::byte* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

// Element-wise conversion, as ONNX Cast: floats to integers truncate, out-of-range values saturate,
// NaN gives 0; any number to bool gives x != 0. Narrow types saturate, too.
Result<Tensor> Cast(const Tensor& tensor, DType to);
// The same over arrays that do not overlap.
void ConvertElements(DType from, const void* in, DType to, void* out, int64_t count) noexcept;

// Integers of any width as int64 (axes, shapes); fails for other types.
Result<std::vector<int64_t>> ToInt64s(const Tensor& tensor);

template <typename T>
Tensor Tensor::Of(Dims shape, std::span<const T> values) {
  Tensor tensor = Make(DTypeOf<T>, std::move(shape)).value();
  PARE_DCHECK(tensor.count() == static_cast<int64_t>(values.size()));
  if (!values.empty()) std::memcpy(tensor.mutable_data(), values.data(), values.size_bytes());
  return tensor;
}

}  // namespace pare
