#include "passes/numbers.h"

#include "passes/layout.h"

namespace pare::passes {

std::vector<double> Doubles(const Tensor& tensor) {
  const Tensor wide = Cast(tensor, DType::kF64).value();
  const auto values = wide.as<double>();
  return {values.begin(), values.end()};
}

Tensor FromDoubles(DType dtype, Dims shape, std::span<const double> values) {
  return Cast(Tensor::Of<double>(std::move(shape), values), dtype).value();
}

std::optional<std::vector<double>> AlongAxis(const Tensor& tensor, int rank, int axis,
                                             int64_t size) {
  if (!IsFloat(tensor.dtype()) || tensor.rank() > rank) return std::nullopt;
  const int missing = rank - tensor.rank();
  for (int i = 0; i < tensor.rank(); ++i) {
    const int64_t dim = tensor.shape()[i];
    if (dim != 1 && (i + missing != axis || dim != size)) return std::nullopt;
  }
  std::vector<double> values = Doubles(tensor);
  if (values.size() == 1) values.resize(static_cast<size_t>(size), values[0]);
  return values;
}

namespace {

template <typename T>
void Gather(const T* from, T* to, const Dims& shape, const Dims& stride) {
  const int rank = static_cast<int>(shape.size());
  const int64_t row = shape[rank - 1], step = stride[rank - 1];
  const int64_t rows = CountOf(std::span(shape).first(rank - 1)).value();
  Dims index(rank, 0);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t i = 0; i < row; ++i) to[i] = from[i * step];
    to += row;
    for (int axis = rank - 2; axis >= 0; --axis) {
      from += stride[axis];
      if (++index[axis] < shape[axis]) break;
      from -= stride[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

Tensor Transposed(const Tensor& tensor, std::span<const int64_t> perm) {
  const int rank = tensor.rank();
  Dims shape(rank), stride_of(rank, 1), stride(rank);
  for (int i = rank - 2; i >= 0; --i) stride_of[i] = stride_of[i + 1] * tensor.shape()[i + 1];
  for (int i = 0; i < rank; ++i) {
    shape[i] = tensor.shape()[perm[i]];
    stride[i] = stride_of[perm[i]];
  }
  if (IsReshape(graph::ToShape(tensor.shape()), perm)) return tensor.Reshaped(std::move(shape));
  Tensor result = Tensor::Make(tensor.dtype(), shape).value();
  VisitDType(tensor.dtype(), [&]<typename T>(T) {
    Gather(tensor.as<T>().data(), result.mutable_as<T>().data(), shape, stride);
  });
  return result;
}

}  // namespace pare::passes
