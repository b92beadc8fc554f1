// The messages of onnx.proto that pare reads, as views of the file's bytes: the numbers of their
// fields stand here and in export.cc only. Reading one message doesn't read those inside it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "graph/type.h"
#include "onnx/wire.h"

namespace pare::onnx {

// Data types up to here are known or foreign: of later versions of ONNX. What lies above is damage.
inline constexpr int kNewestDataType = 64;
// The first IR version where initializers need not be inputs, too: those that are may be
// overridden.
inline constexpr int64_t kFirstFreeInitializers = 4;

using Names = std::vector<std::string_view>;
// metadata_props
using Entries = std::vector<std::pair<std::string_view, std::string_view>>;

// AttributeProto.type
enum class AttrType : int {
  kUndefined = 0,
  kFloat = 1,
  kInt = 2,
  kString = 3,
  kTensor = 4,
  kGraph = 5,
  kFloats = 6,
  kInts = 7,
  kStrings = 8,
  kTensors = 9,
  kGraphs = 10,
  kSparseTensor = 11,
  kSparseTensors = 12,
  kTypeProto = 13,
  kTypeProtos = 14,
};

struct AttributeMessage {
  std::string_view name;
  std::string_view reference;  // in a function: the attribute of the caller that gives the value
  std::string_view doc;
  AttrType type = AttrType::kUndefined;  // where the file doesn't say: by the field that is there
  float f = 0;
  int64_t i = 0;
  std::string_view s;
  Bytes tensor;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  Names strings;
  std::vector<Bytes> graphs;  // of kGraph and kGraphs
  Bytes whole;
};

struct NodeMessage {
  Names inputs, outputs;
  std::string_view name, op_type, domain, overload, doc;
  std::vector<Bytes> attributes;
  Entries metadata;
};

struct ValueInfoMessage {
  std::string_view name;
  Bytes type;  // TypeProto
  std::string_view doc;
  Entries metadata;
};

struct QuantAnnotationMessage {
  std::string_view tensor;
  Entries parameters;  // key, name of a tensor
};

struct GraphMessage {
  std::string_view name, doc;
  std::vector<Bytes> nodes, initializers, sparse_initializers;
  std::vector<ValueInfoMessage> inputs, outputs, value_infos;
  std::vector<QuantAnnotationMessage> annotations;
  Entries metadata;
};

struct OpsetMessage {
  std::string_view domain;
  int64_t version = 0;
};

struct FunctionMessage {
  std::string_view name, domain, overload;
  Names inputs, outputs;
  std::vector<Bytes> nodes;
  std::vector<Bytes> default_attributes;
  std::vector<OpsetMessage> opsets;
  size_t size = 0;  // bytes in the file
};

struct ModelMessage {
  int64_t ir_version = 0;
  std::string_view producer_name, producer_version, domain, doc;
  int64_t model_version = 0;
  std::optional<Bytes> graph;
  std::vector<OpsetMessage> opsets;
  Entries metadata;
  std::vector<Bytes> functions;
};

Result<AttributeMessage> ReadAttribute(Bytes bytes);
Result<NodeMessage> ReadNode(Bytes bytes);
Result<GraphMessage> ReadGraph(Bytes bytes);
Result<FunctionMessage> ReadFunction(Bytes bytes);
Result<ModelMessage> ReadModel(Bytes bytes);

// A TypeProto as far as pare's types go; `foreign` where it is a sequence, a map, or a tensor of
// elements that pare has no type for.
struct TypeMessage {
  DType dtype = DType::kNone;
  bool foreign = false;
  struct DimMessage {
    int64_t size = -1;  // -1: not given
    std::string_view symbol;
  };
  std::optional<std::vector<DimMessage>> dims;
};
Result<TypeMessage> ReadType(Bytes bytes);

// Names come from outside with any bytes: one line, no control characters, no endless length.
std::string Printable(std::string_view name);

inline tl::unexpected<Error> Malformed(std::string_view message) {
  return Invalid(Text("its ", message, " is not readable as protobuf"),
                 "the file is damaged or cut short; fetch or export it again");
}

}  // namespace pare::onnx
