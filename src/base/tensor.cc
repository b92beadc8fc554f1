#include "base/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/aligned_bytes.h"

namespace pare {

Result<int64_t> CountOf(std::span<const int64_t> dims) {
  int64_t count = 1;
  bool empty = false;
  for (int64_t dim : dims) {
    if (dim < 0) return Invalid(Text("the shape ", DimsText(dims), " has a negative dimension"));
    if (dim == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(count, dim, &count)) {
      return Invalid(
          Text("the shape ", DimsText(dims), " has more elements than memory could hold"));
    }
  }
  return empty ? 0 : count;
}

std::string DimsText(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += Text(i ? "," : "", dims[i]);
  return text + "]";
}

Result<Tensor> Tensor::Make(DType dtype, Dims shape) {
  PARE_ASSIGN(const int64_t count, CountOf(shape));
  constexpr size_t kAlignment = 64;
  size_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<size_t>(count), SizeOf(dtype), &bytes) ||
      bytes > std::numeric_limits<int64_t>::max() - kAlignment) {
    return Fail(ErrorKind::kMemory, Text("a tensor of shape ", DimsText(shape), " is too large"));
  }
  bytes = (bytes + kAlignment) / kAlignment * kAlignment;  // never 0: data() is a real pointer
  std::byte* const memory = AllocateAligned(bytes).release();
  if (!memory) {
    return Fail(ErrorKind::kMemory, Text("no memory for a tensor of shape ", DimsText(shape), " (",
                                         bytes >> 20, " MiB)"));
  }
  std::shared_ptr<const void> owner(memory, [](const void* p) { std::free(const_cast<void*>(p)); });
  return View(dtype, std::move(shape), memory, std::move(owner));
}

Result<Tensor> Tensor::Zeros(DType dtype, Dims shape) {
  PARE_ASSIGN(Tensor tensor, Make(dtype, std::move(shape)));
  std::memset(tensor.mutable_data(), 0, tensor.bytes());
  return tensor;
}

Tensor Tensor::View(DType dtype, Dims shape, const void* data, std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.count_ = CountOf(shape).value();
  tensor.shape_ = std::move(shape);
  tensor.data_ = static_cast<const std::byte*>(data);
  tensor.owner_ = std::move(owner);
  return tensor;
}

Tensor Tensor::Reshaped(Dims shape) const {
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  PARE_DCHECK(CountOf(tensor.shape_).value() == count_);
  return tensor;
}

namespace {

template <typename T>
double Read(T value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return ToFloat(value);
  } else {
    return static_cast<double>(value);
  }
}

template <typename To, typename From>
To Convert(From from) {
  if constexpr (std::is_same_v<To, From>) {
    return from;
  } else if constexpr (std::is_same_v<To, bool>) {
    return Read(from) != 0;
  } else if constexpr (std::is_same_v<To, Half>) {
    return ToHalf(static_cast<float>(Read(from)));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return ToBFloat16(static_cast<float>(Read(from)));
  } else if constexpr (std::is_integral_v<To> && std::is_integral_v<From>) {
    return static_cast<To>(from);  // two's complement, as C and ONNX Runtime do
  } else if constexpr (std::is_integral_v<To>) {
    const double value = Read(from);
    if (std::isnan(value)) return 0;
    // The upper limit of a 64-bit type is no double: compare with the next power of two.
    constexpr double kBeyond = 2.0 * static_cast<double>(std::numeric_limits<To>::max() / 2 + 1);
    if (value >= kBeyond) return std::numeric_limits<To>::max();
    if (value <= static_cast<double>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    return static_cast<To>(value);
  } else {
    return static_cast<To>(Read(from));
  }
}

}  // namespace

void ConvertElements(DType from, const void* in, DType to, void* out, int64_t count) noexcept {
  const double lo = to == DType::kI4 ? -8 : 0, hi = to == DType::kI4 ? 7 : 15;
  VisitDType(from, [&]<typename From>(From) {
    VisitDType(to, [&]<typename To>(To) {
      const From* source = static_cast<const From*>(in);
      To* target = static_cast<To*>(out);
      if (!IsNarrow(to)) {
        for (int64_t i = 0; i < count; ++i) target[i] = Convert<To>(source[i]);
        return;
      }
      for (int64_t i = 0; i < count; ++i) {
        const double value = Read(source[i]);
        target[i] = Convert<To>(std::isnan(value) ? 0.0 : std::trunc(std::clamp(value, lo, hi)));
      }
    });
  });
}

Result<Tensor> Cast(const Tensor& tensor, DType to) {
  if (!tensor || to == DType::kNone)
    return Unsupported("a cast from or to an unknown element type");
  PARE_ASSIGN(Tensor result, Tensor::Make(to, tensor.shape()));
  ConvertElements(tensor.dtype(), tensor.data(), to, result.mutable_data(), tensor.count());
  return result;
}

Result<std::vector<int64_t>> ToInt64s(const Tensor& tensor) {
  if (!tensor || IsFloat(tensor.dtype())) {
    return Invalid(Text("integers are expected here, not ", DTypeName(tensor.dtype())));
  }
  PARE_ASSIGN(const Tensor wide, Cast(tensor, DType::kI64));
  const auto values = wide.as<int64_t>();
  return std::vector<int64_t>(values.begin(), values.end());
}

}  // namespace pare
