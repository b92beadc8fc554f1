#include "onnx/changes.h"

#include <algorithm>

namespace pare::onnx {
namespace {

using graph::ValueId;

Result<Tensor> ToInput(const Migration& m, const Move& move, const graph::AttrValue& value) {
  switch (move.form) {
    case Form::kInts:
      if (const auto* ints = std::get_if<graph::Ints>(&value)) {
        return Tensor::Of<int64_t>({static_cast<int64_t>(ints->size())}, *ints);
      }
      break;
    case Form::kOneInt:
      if (const auto* number = std::get_if<int64_t>(&value)) {
        return Tensor::Of<int64_t>({1}, {*number});
      }
      break;
    case Form::kFloats:
      if (const auto* floats = std::get_if<graph::Floats>(&value)) {
        return Tensor::Of<float>({static_cast<int64_t>(floats->size())}, *floats);
      }
      break;
    case Form::kFloat:
    case Form::kLikeInput0:
      if (const auto* number = std::get_if<float>(&value)) {
        const DType dtype = move.form == Form::kLikeInput0 ? m.dtype(0) : DType::kF32;
        return Cast(Tensor::Scalar(*number), dtype == DType::kNone ? DType::kF32 : dtype);
      }
      break;
    case Form::kNone:
      break;
  }
  return Invalid(Text("its attribute ", move.attribute, " is of the wrong type"));
}

Result<graph::AttrValue> ToAttribute(const Move& move, const Tensor& tensor) {
  if (move.form == Form::kInts || move.form == Form::kOneInt) {
    PARE_ASSIGN(graph::Ints ints, ToInt64s(tensor));
    if (move.form == Form::kInts) return ints;
    if (ints.size() == 1) return ints[0];
  } else if (IsFloat(tensor.dtype())) {
    PARE_ASSIGN(const Tensor floats, Cast(tensor, DType::kF32));
    PARE_ASSIGN(const Tensor back, Cast(floats, tensor.dtype()));
    const auto values = floats.as<float>();
    if (!graph::SameTensor(tensor, back)) {
      return Unsupported(Text("its ", move.attribute, " does not fit a float attribute"));
    }
    if (move.form == Form::kFloats) return graph::Floats(values.begin(), values.end());
    if (values.size() == 1) return values[0];
  }
  return Unsupported(Text("its ", move.attribute, " has no form as an attribute"));
}

}  // namespace

DType Migration::dtype(int i) const {
  const ValueId value = input(i);
  if (value == ValueId::kNone) return DType::kNone;
  if (const DType known = graph.value(value).type.dtype; known != DType::kNone) return known;
  if (!dtypes) return DType::kNone;
  const auto at = dtypes->find(value);
  return at == dtypes->end() ? DType::kNone : at->second;
}

int Migration::rank(ValueId value) const {
  if (value == ValueId::kNone || !graph.value(value).type.has_rank()) return -1;
  return graph.value(value).type.rank();
}

void Migration::SetInput(int i, ValueId value) const {
  while (inputs() <= i) graph.AppendInput(id, ValueId::kNone);
  graph.SetInput(id, i, value);
}

void Migration::SetConstant(int i, std::string_view what, Tensor data) const {
  const auto& outputs = node().outputs;
  const auto named = std::find_if(outputs.begin(), outputs.end(),
                                  [](ValueId output) { return output != ValueId::kNone; });
  const std::string stem =
      Text(named == outputs.end() ? node().op : graph.value(*named).name, '_', what);
  SetInput(i, graph.AddConstant(graph.FreshName(stem), std::move(data)));
}

void Migration::TrimInputs() const {
  while (inputs() > 0 && node().inputs.back() == ValueId::kNone) graph.RemoveLastInput(id);
}

Status UpgradeMoves(const Migration& m, const Change& change) {
  for (const Move& move : change.moves) {
    const graph::AttrValue* value = m.attrs().find(move.attribute);
    if (move.form == Form::kNone || !value) continue;
    if (m.input(move.input) != ValueId::kNone) {
      return Invalid(Text("it has ", move.attribute, " both as attribute and as input"));
    }
    PARE_ASSIGN(Tensor tensor, ToInput(m, move, *value));
    m.SetConstant(move.input, move.attribute, std::move(tensor));
    m.attrs().erase(move.attribute);
  }
  return {};
}

Status DowngradeMoves(const Migration& m, const Change& change) {
  for (const Addition& addition : change.additions) {
    const graph::AttrValue* value = m.attrs().find(addition.attribute);
    if (!value) continue;
    const auto* number = std::get_if<int64_t>(value);
    const auto* numbers = std::get_if<graph::Ints>(value);
    const bool same = number ? *number == addition.otherwise
                      : numbers
                          ? std::ranges::count(*numbers, addition.otherwise) == std::ssize(*numbers)
                          : false;
    if (!same) return Unsupported(Text("its ", addition.attribute, " needs a newer opset"));
    m.attrs().erase(addition.attribute);
  }
  for (const Move& move : change.moves) {
    if (move.form == Form::kNone || m.input(move.input) == ValueId::kNone) continue;
    const Tensor* constant = m.constant(move.input);
    if (!constant) {
      return Unsupported(Text("its ", move.attribute, " is computed, which needs a newer opset"));
    }
    PARE_ASSIGN(graph::AttrValue value, ToAttribute(move, *constant));
    m.attrs().set(move.attribute, std::move(value));
    m.SetInput(move.input, ValueId::kNone);
  }
  m.TrimInputs();
  return {};
}

}  // namespace pare::onnx
