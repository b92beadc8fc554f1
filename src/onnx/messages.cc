#include "onnx/messages.h"

#include <algorithm>

namespace pare::onnx {
namespace {

bool AppendVarints(Bytes packed, std::vector<int64_t>& out) {
  WireReader in(packed);
  while (!in.empty()) {
    uint64_t value = 0;
    if (!in.TakeVarint(value)) return false;
    out.push_back(static_cast<int64_t>(value));
  }
  return true;
}

bool AppendFloats(Bytes packed, std::vector<float>& out) {
  if (packed.size() % sizeof(float) != 0) return false;
  const size_t before = out.size();
  out.resize(before + packed.size() / sizeof(float));
  if (!packed.empty()) std::memcpy(out.data() + before, packed.data(), packed.size());
  return true;
}

Result<OpsetMessage> ReadOpset(Bytes bytes) {
  OpsetMessage opset;
  WireReader in(bytes);
  while (in.Next()) {
    if (in.tag() == BytesTag(1)) opset.domain = in.text();
    if (in.tag() == VarintTag(2)) opset.version = in.int64();
  }
  if (!in.ok()) return Malformed("OperatorSetIdProto");
  if (opset.domain == "ai.onnx") opset.domain = "";
  return opset;
}

Status AddEntry(Bytes bytes, Entries& entries) {
  auto& [key, value] = entries.emplace_back();
  WireReader in(bytes);
  while (in.Next()) {
    if (in.tag() == BytesTag(1)) key = in.text();
    if (in.tag() == BytesTag(2)) value = in.text();
  }
  if (!in.ok()) return Malformed("StringStringEntryProto");
  return {};
}

Result<ValueInfoMessage> ReadValueInfo(Bytes bytes) {
  ValueInfoMessage info;
  WireReader in(bytes);
  while (in.Next()) {
    if (in.tag() == BytesTag(1)) info.name = in.text();
    if (in.tag() == BytesTag(2)) info.type = in.bytes();
    if (in.tag() == BytesTag(3)) info.doc = in.text();
    if (in.tag() == BytesTag(4)) PARE_TRY(AddEntry(in.bytes(), info.metadata));
  }
  if (!in.ok()) return Malformed("ValueInfoProto");
  return info;
}

Result<QuantAnnotationMessage> ReadQuantAnnotation(Bytes bytes) {
  QuantAnnotationMessage annotation;
  WireReader in(bytes);
  while (in.Next()) {
    if (in.tag() == BytesTag(1)) annotation.tensor = in.text();
    if (in.tag() == BytesTag(2)) PARE_TRY(AddEntry(in.bytes(), annotation.parameters));
  }
  if (!in.ok()) return Malformed("TensorAnnotation");
  return annotation;
}

// Files before IR 3 may not tell an attribute's type: it is the type of the field that is there.
AttrType TypeOfField(uint32_t field) {
  switch (field) {
    case 2:
      return AttrType::kFloat;
    case 3:
      return AttrType::kInt;
    case 4:
      return AttrType::kString;
    case 5:
      return AttrType::kTensor;
    case 6:
      return AttrType::kGraph;
    case 7:
      return AttrType::kFloats;
    case 8:
      return AttrType::kInts;
    case 9:
      return AttrType::kStrings;
    case 10:
      return AttrType::kTensors;
    case 11:
      return AttrType::kGraphs;
    default:
      return AttrType::kUndefined;
  }
}

Result<std::vector<TypeMessage::DimMessage>> ReadShape(Bytes bytes) {
  std::vector<TypeMessage::DimMessage> dims;
  WireReader in(bytes);
  while (in.Next()) {
    if (in.tag() != BytesTag(1)) continue;
    TypeMessage::DimMessage dim;
    WireReader dim_in(in.bytes());
    while (dim_in.Next()) {
      if (dim_in.tag() == VarintTag(1)) dim = {.size = dim_in.int64(), .symbol = {}};
      if (dim_in.tag() == BytesTag(2)) dim = {.size = -1, .symbol = dim_in.text()};
    }
    if (!dim_in.ok()) return Malformed("TensorShapeProto");
    // -1 is how some exporters write "unknown"; anything below is damage.
    if (dim.size < -1) return Invalid(Text("a dimension is ", dim.size));
    dims.push_back(dim);
  }
  if (!in.ok()) return Malformed("TensorShapeProto");
  return dims;
}

}  // namespace

Result<AttributeMessage> ReadAttribute(Bytes bytes) {
  AttributeMessage attr;
  attr.whole = bytes;
  AttrType guess = AttrType::kUndefined;
  bool packed_ok = true;
  WireReader in(bytes);
  while (in.Next() && packed_ok) {
    if (const AttrType type = TypeOfField(in.tag() >> 3); type != AttrType::kUndefined) {
      guess = type;
    }
    switch (in.tag()) {
      case BytesTag(1):
        attr.name = in.text();
        break;
      case Fixed32Tag(2):
        attr.f = in.float32();
        break;
      case VarintTag(3):
        attr.i = in.int64();
        break;
      case BytesTag(4):
        attr.s = in.text();
        break;
      case BytesTag(5):
        attr.tensor = in.bytes();
        break;
      case BytesTag(6):
      case BytesTag(11):
        attr.graphs.push_back(in.bytes());
        break;
      case Fixed32Tag(7):
        attr.floats.push_back(in.float32());
        break;
      case BytesTag(7):
        packed_ok = AppendFloats(in.bytes(), attr.floats);
        break;
      case VarintTag(8):
        attr.ints.push_back(in.int64());
        break;
      case BytesTag(8):
        packed_ok = AppendVarints(in.bytes(), attr.ints);
        break;
      case BytesTag(9):
        attr.strings.push_back(in.text());
        break;
      case BytesTag(13):
        attr.doc = in.text();
        break;
      case VarintTag(20):
        attr.type = static_cast<AttrType>(std::min<uint64_t>(in.varint(), 255));
        break;
      case BytesTag(21):
        attr.reference = in.text();
        break;
    }
  }
  if (!in.ok() || !packed_ok) return Malformed("AttributeProto");
  if (attr.type == AttrType::kUndefined) attr.type = guess;
  return attr;
}

Result<NodeMessage> ReadNode(Bytes bytes) {
  NodeMessage node;
  WireReader in(bytes);
  while (in.Next()) {
    switch (in.tag()) {
      case BytesTag(1):
        node.inputs.push_back(in.text());
        break;
      case BytesTag(2):
        node.outputs.push_back(in.text());
        break;
      case BytesTag(3):
        node.name = in.text();
        break;
      case BytesTag(4):
        node.op_type = in.text();
        break;
      case BytesTag(5):
        node.attributes.push_back(in.bytes());
        break;
      case BytesTag(6):
        node.doc = in.text();
        break;
      case BytesTag(7):
        node.domain = in.text();
        break;
      case BytesTag(8):
        node.overload = in.text();
        break;
      case BytesTag(9):
        PARE_TRY(AddEntry(in.bytes(), node.metadata));
        break;
    }
  }
  if (!in.ok()) return Malformed("NodeProto");
  if (node.domain == "ai.onnx") node.domain = "";
  return node;
}

Result<GraphMessage> ReadGraph(Bytes bytes) {
  GraphMessage graph;
  WireReader in(bytes);
  while (in.Next()) {
    std::vector<ValueInfoMessage>* infos = nullptr;
    switch (in.tag()) {
      case BytesTag(1):
        graph.nodes.push_back(in.bytes());
        break;
      case BytesTag(2):
        graph.name = in.text();
        break;
      case BytesTag(5):
        graph.initializers.push_back(in.bytes());
        break;
      case BytesTag(10):
        graph.doc = in.text();
        break;
      case BytesTag(11):
        infos = &graph.inputs;
        break;
      case BytesTag(12):
        infos = &graph.outputs;
        break;
      case BytesTag(13):
        infos = &graph.value_infos;
        break;
      case BytesTag(14): {
        PARE_ASSIGN(graph.annotations.emplace_back(), ReadQuantAnnotation(in.bytes()));
        break;
      }
      case BytesTag(15):
        graph.sparse_initializers.push_back(in.bytes());
        break;
      case BytesTag(16):
        PARE_TRY(AddEntry(in.bytes(), graph.metadata));
        break;
    }
    if (!infos) continue;
    PARE_ASSIGN(infos->emplace_back(), ReadValueInfo(in.bytes()));
  }
  if (!in.ok()) return Malformed("GraphProto");
  return graph;
}

Result<FunctionMessage> ReadFunction(Bytes bytes) {
  FunctionMessage function;
  function.size = bytes.size();
  WireReader in(bytes);
  while (in.Next()) {
    switch (in.tag()) {
      case BytesTag(1):
        function.name = in.text();
        break;
      case BytesTag(4):
        function.inputs.push_back(in.text());
        break;
      case BytesTag(5):
        function.outputs.push_back(in.text());
        break;
      case BytesTag(7):
        function.nodes.push_back(in.bytes());
        break;
      case BytesTag(9): {
        PARE_ASSIGN(function.opsets.emplace_back(), ReadOpset(in.bytes()));
        break;
      }
      case BytesTag(10):
        function.domain = in.text();
        break;
      case BytesTag(11):
        function.default_attributes.push_back(in.bytes());
        break;
      case BytesTag(13):
        function.overload = in.text();
        break;
    }
  }
  if (!in.ok()) return Malformed("FunctionProto");
  if (function.domain == "ai.onnx") function.domain = "";
  return function;
}

Result<ModelMessage> ReadModel(Bytes bytes) {
  ModelMessage model;
  WireReader in(bytes);
  while (in.Next()) {
    switch (in.tag()) {
      case VarintTag(1):
        model.ir_version = in.int64();
        break;
      case BytesTag(2):
        model.producer_name = in.text();
        break;
      case BytesTag(3):
        model.producer_version = in.text();
        break;
      case BytesTag(4):
        model.domain = in.text();
        break;
      case VarintTag(5):
        model.model_version = in.int64();
        break;
      case BytesTag(6):
        model.doc = in.text();
        break;
      case BytesTag(7):
        model.graph = in.bytes();
        break;
      case BytesTag(8): {
        PARE_ASSIGN(model.opsets.emplace_back(), ReadOpset(in.bytes()));
        break;
      }
      case BytesTag(14):
        PARE_TRY(AddEntry(in.bytes(), model.metadata));
        break;
      case BytesTag(25):
        model.functions.push_back(in.bytes());
        break;
    }
  }
  if (!in.ok()) return Malformed("ModelProto");
  return model;
}

Result<TypeMessage> ReadType(Bytes bytes) {
  TypeMessage type;
  Bytes tensor;
  bool is_tensor = false;
  WireReader in(bytes);
  while (in.Next()) {
    const uint32_t field = in.tag() >> 3;
    if (in.tag() == BytesTag(1)) {
      tensor = in.bytes();
      is_tensor = true;
    } else if (field == 4 || field == 5 || field == 7 || field == 8 || field == 9) {
      type.foreign = true;  // sequence, map, opaque, sparse tensor, optional
    }
  }
  if (!in.ok()) return Malformed("TypeProto");
  if (!is_tensor || type.foreign) return type;
  int64_t element = 0;
  WireReader tensor_in(tensor);
  while (tensor_in.Next()) {
    if (tensor_in.tag() == VarintTag(1)) element = tensor_in.int64();
    if (tensor_in.tag() == BytesTag(2)) {
      PARE_ASSIGN(type.dims, ReadShape(tensor_in.bytes()));
    }
  }
  if (!tensor_in.ok()) return Malformed("TypeProto");
  if (element < 0 || element > kNewestDataType) {
    return Invalid(Text("the element type ", element, " is none of ONNX"));
  }
  type.dtype = DTypeFromOnnx(static_cast<int>(element));
  type.foreign = type.dtype == DType::kNone && element != 0;
  if (element == 0) type.dims.reset();  // no valid type, and a shape alone could not be written
  return type;
}

std::string Printable(std::string_view name) {
  constexpr size_t kLongest = 200;
  std::string text(name.substr(0, kLongest));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return name.size() > kLongest ? text + "…" : text;
}

}  // namespace pare::onnx
