// Functions that a model defines itself: calls are replaced by the nodes of the function.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <unordered_set>
#include <vector>

#include "onnx/messages.h"

namespace pare::onnx {

// A node as the graph shall have it: after functions are gone. Views of the file's bytes, or of the
// Expander's names.
struct SourceNode {
  Names inputs, outputs;
  std::string_view name, op_type, domain, doc;
  struct Attribute {
    std::string_view name;
    Bytes bytes;  // AttributeProto; its own name counts for nothing
  };
  std::vector<Attribute> attributes;
  Entries metadata;
  int64_t opset = 0;  // which version of ai.onnx the node is meant for

  std::string path() const;  // "node /a/b (Conv)"
};

class Expander {
 public:
  // `opset` is the model's version of ai.onnx, `model_bytes` bounds how much functions may grow to.
  static Result<Expander> Make(const ModelMessage& model, int64_t opset, size_t model_bytes);

  // The nodes in their order, calls replaced. The result lives as long as this and the file's
  // bytes.
  Result<std::vector<SourceNode>> Expand(const std::vector<Bytes>& nodes);

 private:
  using Key = std::tuple<std::string_view, std::string_view, std::string_view>;
  struct Scope;  // what names mean inside of a call

  Status ExpandNode(Bytes node, const Scope& scope, std::vector<SourceNode>& out);
  Status ExpandCall(const SourceNode& call, const FunctionMessage& function, const Scope& scope,
                    std::vector<SourceNode>& out);
  std::string_view FreshName(std::string_view prefix, std::string_view name);

  std::map<Key, FunctionMessage> functions_;
  std::unordered_set<std::string_view> taken_;
  std::deque<std::string> names_;
  int64_t opset_ = 0;
  size_t budget_ = 0;  // bytes of functions that may still be written out
};

}  // namespace pare::onnx
