// What the matrix products share: NumPy's rules for shapes, and batches of f32 products.
#pragma once

#include "kernels/gemm/gemm.h"
#include "ops/common.h"

namespace pare::ops {

// Output shape of NumPy's matmul over inputs a and b; one-dimensional operands are allowed.
Status InferMatMulShape(InferContext& context, int a, int b, DType output);

// A product of static shapes: y[batch…, m, n] = a[batch…, m, k] · b[batch…, k, n].
struct MatMulShape {
  int64_t m = 1, n = 1, k = 1;
  Dims batch{};                         // of y
  std::vector<int64_t> a_at{}, b_at{};  // which matrix of a and of b each of y's takes
  int64_t a_count = 1, b_count = 1;     // matrices in a and b

  // One matrix b for all: the batch's rows are rows of one product.
  void FoldBatch();
};
MatMulShape ReadMatMul(const Dims& a, const Dims& b);
Cost CostOfMatMul(const NodeView& view, int a);

// Where an operand of a product comes from: an input of the node, a temp, or nowhere.
struct Operand {
  enum class Kind : uint8_t { kNone, kInput, kTemp } kind = Kind::kNone;
  int index = 0;

  static Operand Input(int i) { return {Kind::kInput, i}; }
  static Operand Temp(int i) { return {Kind::kTemp, i}; }
  static Operand InputIfThere(const NodeView& view, int i) {
    return view.has_input(i) ? Input(i) : Operand();
  }
  explicit operator bool() const { return kind != Kind::kNone; }
  const float* at(const StepArgs& args) const {
    if (kind == Kind::kNone) return nullptr;
    return kind == Kind::kInput ? args.in<float>(index)
                                : static_cast<const float*>(args.temps[index]);
  }
};

// y = act(a · b + bias + residual) in f32: a [a_count, m, k], b from input 1, bias [n], residual of
// y's shape; the activation is the node's attribute.
struct Products {
  MatMulShape shape;
  kernels::GemmB order = kernels::GemmB::kKN;
  Operand a = Operand::Input(0);
  int bias_input = -1;  // −1: none
  Operand residual{};
};
// Packs b (and bias) now where they are constant, and in a step of its own where not.
Status PrepareProducts(PrepareContext& context, Products products);

}  // namespace pare::ops
