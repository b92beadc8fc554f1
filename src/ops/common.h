// What many records share.
#pragma once

#include "graph/graph.h"
#include "ops/node_view.h"
#include "ops/op_def.h"
#include "ops/prepare.h"

namespace pare::ops {

// y has the type of the first input.
Status InferSameType(InferContext& context);

// The number of elements; 0 where it is not known, or beyond all bounds.
int64_t CountIfKnown(const graph::TensorType& type);

// Work in proportion to the elements of output 0.
int64_t OutputCount(const NodeView& view);
template <int kFlops>
Cost PerElement(const NodeView& view) {
  return {.flops = kFlops * OutputCount(view)};
}

// A product of sizes, no greater than 2^62: work on shapes from outside.
int64_t Work(std::initializer_list<int64_t> sizes);

// The number of elements of a shape that is known to fit: prepare is called with no others.
int64_t Count(const Dims& shape);

// Whether input 0 is no other input as well: an operator that writes it while it still reads others
// may take its memory only then.
bool IsAloneInInputs(const NodeView& view);

// Steps may have no tasks (an empty tensor); then there is nothing to add.
inline void AddStepIfAny(PrepareContext& context, Step step) {
  if (step.tasks > 0) context.AddStep(step);
}

// Why there is no gradient, where several records say the same.
inline constexpr GradRule kNoSlope{.none = "its result is no smooth number"};
inline constexpr GradRule kIntegers{.none = "it computes with integers"};
inline constexpr GradRule kSecondOrder{.none =
                                           "it is a gradient itself, and pare has no second ones"};

// One quantized operand in, one out, by a table of 256 values.
inline constexpr QuantRule kIntegerUnary{.inputs = {{{Role::kActivation}}}, .integer = true};
inline constexpr QuantRule kIntegerBinary{.inputs = {{{Role::kActivation}, {Role::kActivation}}},
                                          .integer = true};
// Moves of the elements of input 0; other inputs are indices and shapes.
inline constexpr QuantRule kSameScaleRule{.inputs = {{{Role::kActivation}}}, .same_scale = true};

}  // namespace pare::ops
