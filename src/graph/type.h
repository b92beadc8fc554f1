// What is known of a value before the program runs: element type and shape, both maybe in part.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/tensor.h"

namespace pare::graph {

// One dimension: a size, a symbol of the graph ("N", the same size wherever it stands), or unknown.
class Dim {
 public:
  constexpr Dim() = default;
  constexpr Dim(int64_t size) : raw_(size) { PARE_DCHECK(size >= 0); }  // implicit: a size is a Dim
  static constexpr Dim Unknown() { return Dim(); }
  static constexpr Dim Symbol(int index) { return FromRaw(-2 - index); }

  constexpr bool known() const { return raw_ >= 0; }
  constexpr bool is_symbol() const { return raw_ <= -2; }
  constexpr int64_t size() const {
    PARE_DCHECK(known());
    return raw_;
  }
  constexpr int symbol() const {
    return static_cast<int>(-2 - raw_);
  }  // index into Graph::symbols()

  // Surely the same size. Two unknown dimensions are not.
  constexpr bool Same(Dim other) const { return raw_ == other.raw_ && raw_ != -1; }
  // Structural equality (unknown == unknown).
  friend constexpr bool operator==(Dim, Dim) = default;

 private:
  static constexpr Dim FromRaw(int64_t raw) {
    Dim dim;
    dim.raw_ = raw;
    return dim;
  }
  int64_t raw_ = -1;
};

using Shape = std::vector<Dim>;

struct TensorType {
  DType dtype = DType::kNone;
  std::optional<Shape> shape;  // nullopt: not even the rank is known

  bool has_rank() const { return shape.has_value(); }
  int rank() const { return static_cast<int>(shape->size()); }
  bool is_static() const;  // every dimension is a size
  Dims dims() const;       // of a static shape
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

// Both shapes are known and the same, symbols included, and so are the element types.
bool SameKnownType(const TensorType& a, const TensorType& b);
Shape ToShape(std::span<const int64_t> dims);
TensorType TypeOf(const Tensor& tensor);
// "f32[N,3,?,224]"; "f32" where the rank is unknown.
std::string TypeText(const TensorType& type, const std::vector<std::string>& symbols);

}  // namespace pare::graph
