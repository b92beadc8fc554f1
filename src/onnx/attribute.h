// AttributeProto ↔ AttrValue.
#pragma once

#include <string>

#include "graph/attr.h"
#include "onnx/messages.h"
#include "onnx/tensor_proto.h"

namespace pare::onnx {

// What pare has no form for (bodies, sparse tensors, strings in tensors, types) is kept as the
// bytes of its message.
Result<graph::AttrValue> ToAttrValue(const AttributeMessage& attribute, const TensorSource& source);

// Fails where ai.onnx gives attributes of this name another type whatever the operator: a reader
// that takes the default in its place would compute something else.
Status CheckAttributeType(std::string_view name, const graph::AttrValue& value);

// The fields of an AttributeProto.
WireWriter WriteAttribute(std::string_view name, const graph::AttrValue& value);

// An attribute made of a message that pare keeps unread: a TensorProto (type kTensor) or a
// SparseTensorProto (kSparseTensor).
graph::OpaqueAttr WrapMessage(std::string_view name, AttrType type, Bytes message);

}  // namespace pare::onnx
