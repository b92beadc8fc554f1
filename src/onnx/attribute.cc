#include "onnx/attribute.h"

namespace pare::onnx {
namespace {

using graph::AttrValue;
using graph::OpaqueAttr;

AttrValue Opaque(const AttributeMessage& attribute) {
  return OpaqueAttr{std::string(TextOf(attribute.whole))};
}

void WriteType(WireWriter& out, AttrType type) { out.Int(20, static_cast<int>(type)); }

struct ValueWriter {
  WireWriter& out;

  void operator()(int64_t value) {
    out.Int(3, value);
    WriteType(out, AttrType::kInt);
  }
  void operator()(float value) {
    out.Float(2, value);
    WriteType(out, AttrType::kFloat);
  }
  void operator()(const std::string& value) {
    out.Text(4, value);
    WriteType(out, AttrType::kString);
  }
  void operator()(const graph::Ints& values) {
    for (int64_t value : values) out.Int(8, value);
    WriteType(out, AttrType::kInts);
  }
  void operator()(const graph::Floats& values) {
    for (float value : values) out.Float(7, value);
    WriteType(out, AttrType::kFloats);
  }
  void operator()(const graph::Strings& values) {
    for (const std::string& value : values) out.Text(9, value);
    WriteType(out, AttrType::kStrings);
  }
  void operator()(const Tensor& value) {
    out.Message(5, WriteTensor("", value));
    WriteType(out, AttrType::kTensor);
  }
  void operator()(const OpaqueAttr&) {}
};

}  // namespace

Result<AttrValue> ToAttrValue(const AttributeMessage& attribute, const TensorSource& source) {
  switch (attribute.type) {
    case AttrType::kFloat:
      return attribute.f;
    case AttrType::kInt:
      return attribute.i;
    case AttrType::kString:
      return std::string(attribute.s);
    case AttrType::kFloats:
      return attribute.floats;
    case AttrType::kUndefined:  // an empty list of an old file
    case AttrType::kInts:
      return attribute.ints;
    case AttrType::kStrings:
      return graph::Strings(attribute.strings.begin(), attribute.strings.end());
    case AttrType::kTensor: {
      PARE_ASSIGN(NamedTensor named, ReadNamedTensor(attribute.tensor, source));
      if (named.foreign) return Opaque(attribute);
      return std::move(named.tensor);
    }
    default:
      return Opaque(attribute);
  }
}

WireWriter WriteAttribute(std::string_view name, const AttrValue& value) {
  WireWriter out;
  if (const auto* opaque = std::get_if<OpaqueAttr>(&value)) {
    out.Raw(opaque->bytes);
    return out;
  }
  out.Text(1, name);
  std::visit(ValueWriter{out}, value);
  return out;
}

OpaqueAttr WrapMessage(std::string_view name, AttrType type, Bytes message) {
  WireWriter out;
  out.Text(1, name);
  out.Text(type == AttrType::kTensor ? 5 : 22, TextOf(message));
  WriteType(out, type);
  return {out.Join()};
}

namespace {

// By the alternatives of AttrValue. Names whose type differs between operators (value, values) are
// not here.
enum Expected : size_t { kInt, kFloat, kText, kInts, kFloats };
struct KnownName {
  std::string_view name;
  Expected type;
};
constexpr KnownName kKnownNames[] = {
    {"axis", kInt},          {"axes", kInts},
    {"alpha", kFloat},       {"beta", kFloat},
    {"epsilon", kFloat},     {"momentum", kFloat},
    {"group", kInt},         {"kernel_shape", kInts},
    {"strides", kInts},      {"pads", kInts},
    {"dilations", kInts},    {"output_padding", kInts},
    {"output_shape", kInts}, {"auto_pad", kText},
    {"ceil_mode", kInt},     {"count_include_pad", kInt},
    {"transA", kInt},        {"transB", kInt},
    {"perm", kInts},         {"keepdims", kInt},
    {"mode", kText},         {"blocksize", kInt},
    {"largest", kInt},       {"sorted", kInt},
    {"exclusive", kInt},     {"reverse", kInt},
    {"approximate", kText},  {"direction", kText},
    {"hidden_size", kInt},   {"select_last_index", kInt},
    {"batch_dims", kInt},    {"num_outputs", kInt},
    {"allowzero", kInt},
};

}  // namespace

Status CheckAttributeType(std::string_view name, const AttrValue& value) {
  for (const KnownName& known : kKnownNames) {
    if (known.name != name || value.index() == known.type) continue;
    return Invalid("it has another type than ONNX gives it",
                   "the file is damaged or was edited by hand; `onnx.checker` tells more");
  }
  return {};
}

}  // namespace pare::onnx
