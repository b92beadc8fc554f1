#include "onnx/batch_flow.h"

#include <algorithm>

namespace pare::onnx {

using graph::Dim;
using graph::Ints;
using graph::Shape;
using graph::TensorType;
using graph::ValueId;

std::optional<Carry> Flow::carry(int i) const {
  if (!has_input(i)) return std::nullopt;
  const auto at = state_.carries.find(input(i));
  return at == state_.carries.end() ? std::nullopt : std::optional(at->second);
}

bool Flow::only_first() const {
  for (int i = 1; i < inputs(); ++i) {
    if (carry(i) || is_size(i)) return false;
  }
  return carry(0).has_value();
}

const Shape* Flow::shape(int i) const {
  if (!has_input(i)) return nullptr;
  const TensorType& type = state_.graph.value(input(i)).type;
  return type.has_rank() ? &*type.shape : nullptr;
}

int Flow::rank(int i) const {
  const Shape* known = shape(i);
  return known ? static_cast<int>(known->size()) : -1;
}

int64_t Flow::dim(int i, int axis) const {
  const Shape* known = shape(i);
  if (!known || axis < 0 || axis >= std::ssize(*known) || !(*known)[axis].known()) return -1;
  return (*known)[axis].size();
}

const Shape* Flow::output_shape() const {
  if (node().outputs.empty() || node().outputs[0] == ValueId::kNone) return nullptr;
  const TensorType& type = state_.graph.value(node().outputs[0]).type;
  return type.has_rank() ? &*type.shape : nullptr;
}

std::optional<int> Flow::symbolic_axis() const {
  if (node().outputs.empty() || node().outputs[0] == ValueId::kNone) return std::nullopt;
  const TensorType& type = state_.symbolic.value(node().outputs[0]).type;
  if (!type.has_rank() || std::ranges::count(*type.shape, state_.symbol) != 1) return std::nullopt;
  return static_cast<int>(std::ranges::find(*type.shape, state_.symbol) - type.shape->begin());
}

std::optional<Ints> Flow::ints(int i) const {
  if (!has_input(i) || !state_.graph.is_constant(input(i))) return std::nullopt;
  const auto values = ToInt64s(state_.graph.value(input(i)).data);
  return values ? std::optional(*values) : std::nullopt;
}

int Flow::axis(std::string_view name, int64_t otherwise) const {
  const int64_t value = attrs().i(name, otherwise);
  const int64_t normal = value < 0 ? value + rank(0) : value;
  return rank(0) < 0 || normal < 0 || normal > rank(0) ? -1 : static_cast<int>(normal);
}

void Flow::Set(int output, Carry carry) {
  if (output < std::ssize(node().outputs) && node().outputs[output] != ValueId::kNone) {
    state_.carries[node().outputs[output]] = carry;
  }
}

void Flow::SetAll(Carry carry) {
  for (int i = 0; i < std::ssize(node().outputs); ++i) Set(i, carry);
}

void Flow::SetSizes() {
  for (ValueId output : node().outputs) {
    if (output != ValueId::kNone) state_.sizes[output] = true;
  }
}

}  // namespace pare::onnx
