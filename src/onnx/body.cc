#include "onnx/body.h"

#include <unordered_set>

#include "onnx/tensor_proto.h"

namespace pare::onnx {
namespace {

constexpr int kDeepestBody = 64;

Status RefuseExternal(Bytes tensor) {
  WireReader in(tensor);
  while (in.Next()) {
    if (in.tag() == VarintTag(14) && in.varint() == 1) {
      return Unsupported("a body (of If, Loop or Scan) has weights in another file",
                         "save the model with its weights inside, then load it again");
    }
  }
  if (!in.ok()) return Malformed("TensorProto");
  return {};
}

Status Collect(Bytes bytes, int depth, std::vector<std::string_view>& free) {
  if (depth > kDeepestBody) {
    return Unsupported(Text("bodies stand in bodies more than ", kDeepestBody, " deep"));
  }
  PARE_ASSIGN(const GraphMessage graph, ReadGraph(bytes));
  std::unordered_set<std::string_view> defined = {""};
  std::vector<std::string_view> read;
  for (const ValueInfoMessage& input : graph.inputs) defined.insert(input.name);
  for (Bytes tensor : graph.initializers) {
    PARE_TRY(RefuseExternal(tensor));
    PARE_ASSIGN(const std::string_view name, TensorName(tensor));
    defined.insert(name);
  }
  for (Bytes node_bytes : graph.nodes) {
    PARE_ASSIGN(const NodeMessage node, ReadNode(node_bytes));
    read.insert(read.end(), node.inputs.begin(), node.inputs.end());
    defined.insert(node.outputs.begin(), node.outputs.end());
    for (Bytes attribute_bytes : node.attributes) {
      PARE_ASSIGN(const AttributeMessage attribute, ReadAttribute(attribute_bytes));
      if (!attribute.tensor.empty()) PARE_TRY(RefuseExternal(attribute.tensor));
      for (Bytes body : attribute.graphs) PARE_TRY(Collect(body, depth + 1, read));
    }
  }
  for (const ValueInfoMessage& output : graph.outputs) read.push_back(output.name);
  for (std::string_view name : read) {
    if (!defined.contains(name)) free.push_back(name);
  }
  return {};
}

}  // namespace

Status CollectFreeNames(Bytes graph, std::vector<std::string_view>& free) {
  return Collect(graph, 1, free);
}

}  // namespace pare::onnx
