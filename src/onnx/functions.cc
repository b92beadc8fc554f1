#include "onnx/functions.h"

#include <unordered_map>

namespace pare::onnx {
namespace {

constexpr int kDeepestCall = 32;
// Functions that call functions can double with each level: what they write out is bounded by this
// many times the file, and by a floor that serves small files.
constexpr size_t kGrowth = 16;
constexpr size_t kGrowthFloor = size_t{4} << 20;
constexpr size_t kNodeCost = 256;  // what a node costs beside its bytes
constexpr size_t kLongestPrefix = 128;

int64_t OpsetOf(const FunctionMessage& function, int64_t otherwise) {
  for (const OpsetMessage& opset : function.opsets) {
    if (opset.domain.empty()) return opset.version;
  }
  return otherwise;
}

}  // namespace

struct Expander::Scope {
  int depth = 0;
  int64_t opset = 0;
  bool in_function = false;
  std::string_view prefix;
  std::unordered_map<std::string_view, std::string_view> names;  // of the function → outside
  std::unordered_map<std::string_view, Bytes> attributes;        // given by the caller
};

std::string SourceNode::path() const {
  const std::string_view label = !name.empty()      ? name
                                 : !outputs.empty() ? outputs.front()
                                                    : std::string_view("without a name");
  return Text("node ", Printable(label), " (", Printable(op_type), ")");
}

Result<Expander> Expander::Make(const ModelMessage& model, int64_t opset, size_t model_bytes) {
  Expander expander;
  expander.opset_ = opset;
  expander.budget_ = std::max(kGrowth * model_bytes, kGrowthFloor);
  for (Bytes bytes : model.functions) {
    PARE_ASSIGN(FunctionMessage function, ReadFunction(bytes));
    const Key key{function.domain, function.name, function.overload};
    if (!expander.functions_.emplace(key, std::move(function)).second) {
      return Invalid(Text("two functions are called ", Printable(std::get<1>(key))));
    }
  }
  return expander;
}

Result<std::vector<SourceNode>> Expander::Expand(const std::vector<Bytes>& nodes) {
  std::vector<SourceNode> out;
  out.reserve(nodes.size());
  if (!functions_.empty()) {
    for (Bytes bytes : nodes) {
      PARE_ASSIGN(const NodeMessage node, ReadNode(bytes));
      taken_.insert(node.inputs.begin(), node.inputs.end());
      taken_.insert(node.outputs.begin(), node.outputs.end());
    }
  }
  Scope scope;
  scope.opset = opset_;
  for (Bytes bytes : nodes) PARE_TRY(ExpandNode(bytes, scope, out));
  return out;
}

std::string_view Expander::FreshName(std::string_view prefix, std::string_view name) {
  std::string fresh = Text(prefix, '/', name);
  for (size_t n = names_.size(); taken_.contains(fresh); ++n)
    fresh = Text(prefix, '/', name, '_', n);
  names_.push_back(std::move(fresh));
  taken_.insert(names_.back());
  return names_.back();
}

Status Expander::ExpandNode(Bytes bytes, const Scope& scope, std::vector<SourceNode>& out) {
  PARE_ASSIGN(NodeMessage message, ReadNode(bytes));
  SourceNode node{.inputs = std::move(message.inputs),
                  .outputs = std::move(message.outputs),
                  .name = message.name,
                  .op_type = message.op_type,
                  .domain = message.domain,
                  .doc = message.doc,
                  .attributes = {},
                  .metadata = std::move(message.metadata),
                  .opset = scope.opset};
  const auto in_context = [&](const Error& error) { return Fail(error.at(node.path())); };
  for (Bytes attribute_bytes : message.attributes) {
    const Result<AttributeMessage> attribute = ReadAttribute(attribute_bytes);
    if (!attribute) return in_context(attribute.error());
    if (scope.in_function && !attribute->graphs.empty()) {
      return in_context(Error(ErrorKind::kUnsupported,
                              "a function with If, Loop or Scan inside is not supported",
                              "export the model with its functions inlined"));
    }
    if (attribute->reference.empty()) {
      node.attributes.push_back({attribute->name, attribute_bytes});
    } else if (const auto at = scope.attributes.find(attribute->reference);
               at != scope.attributes.end()) {
      node.attributes.push_back({attribute->name, at->second});
    }
  }
  if (scope.in_function) {
    const auto outside = [&](std::string_view& name) {
      if (name.empty()) return;
      name = scope.names.at(name);
    };
    for (std::string_view& name : node.inputs) {
      if (!name.empty() && !scope.names.contains(name)) {
        return in_context(Error(ErrorKind::kInvalid, Text("in a function reads ", Printable(name),
                                                          ", which the function doesn't have")));
      }
      outside(name);
    }
    for (std::string_view& name : node.outputs) outside(name);
    if (!node.name.empty()) node.name = names_.emplace_back(Text(scope.prefix, '/', node.name));
  }
  const auto function = functions_.find({message.domain, message.op_type, message.overload});
  if (function == functions_.end()) {
    out.push_back(std::move(node));
    return {};
  }
  const Status status = ExpandCall(node, function->second, scope, out);
  if (!status) return in_context(status.error());
  return {};
}

Status Expander::ExpandCall(const SourceNode& call, const FunctionMessage& function,
                            const Scope& scope, std::vector<SourceNode>& out) {
  if (scope.depth >= kDeepestCall) {
    return Unsupported("its function calls itself, or calls go more than 32 deep");
  }
  const size_t size = function.size + kNodeCost * function.nodes.size();
  if (size > budget_) {
    return Unsupported("the functions of this model, written out, are too large",
                       "export the model with its functions inlined");
  }
  budget_ -= size;
  if (call.inputs.size() > function.inputs.size() ||
      call.outputs.size() > function.outputs.size()) {
    return Invalid("it has more inputs or outputs than its function");
  }
  Scope inner;
  inner.depth = scope.depth + 1;
  inner.in_function = true;
  inner.opset = OpsetOf(function, scope.opset);
  inner.prefix = !call.outputs.empty() ? call.outputs.front() : call.name;
  inner.prefix = inner.prefix.substr(0, kLongestPrefix);
  for (size_t i = 0; i < function.inputs.size(); ++i) {
    inner.names[function.inputs[i]] = i < call.inputs.size() ? call.inputs[i] : "";
  }
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    if (!call.outputs[i].empty()) inner.names[function.outputs[i]] = call.outputs[i];
  }
  for (Bytes bytes : function.nodes) {
    PARE_ASSIGN(const NodeMessage node, ReadNode(bytes));
    for (std::string_view name : node.outputs) {
      if (!name.empty() && !inner.names.contains(name)) {
        inner.names[name] = FreshName(inner.prefix, name);
      }
    }
  }
  for (Bytes bytes : function.default_attributes) {
    PARE_ASSIGN(const AttributeMessage attribute, ReadAttribute(bytes));
    inner.attributes[attribute.name] = bytes;
  }
  for (const SourceNode::Attribute& attribute : call.attributes) {
    inner.attributes[attribute.name] = attribute.bytes;
  }
  for (Bytes bytes : function.nodes) PARE_TRY(ExpandNode(bytes, inner, out));
  return {};
}

}  // namespace pare::onnx
