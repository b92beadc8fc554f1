#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/hash.h"
#include "graph/text.h"

namespace pare::graph {
namespace {

bool IsBare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '/' || c == '-';
}

std::string Quoted(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += Text('\\', c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += Text("\\x", kHex[byte >> 4], kHex[byte & 15]);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string Name(std::string_view name) {
  const bool bare = !name.empty() && name != "_" && std::all_of(name.begin(), name.end(), IsBare);
  return bare ? std::string(name) : Quoted(name);
}

// A symbol must not look like a size.
std::string SymbolName(std::string_view name) {
  const bool digit = !name.empty() && name[0] >= '0' && name[0] <= '9';
  return digit || name.find('?') != name.npos ? Quoted(name) : Name(name);
}

template <typename T>
std::string Number(T value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return std::string(buffer, end);
}

std::string FloatAttr(float value) {
  std::string text = Number(value);
  return text.find_first_of(".enia") == text.npos ? text + ".0" : text;
}

template <typename T>
std::string Element(T value) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return Number(ToFloat(value));
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "1" : "0";
  } else if constexpr (sizeof(T) == 1) {
    return Number(static_cast<int>(value));
  } else {
    return Number(value);
  }
}

template <typename T, typename F>
std::string List(const T& values, F&& text) {
  std::string out = "[";
  for (size_t i = 0; i < values.size(); ++i) out += Text(i ? "," : "", text(values[i]));
  return out + ']';
}

std::string ContentHash(const Tensor& tensor) {
  Fnv1a hash;
  hash.Add({tensor.data(), tensor.bytes()});
  return HexText(hash.value());
}

bool AllTheSame(const Tensor& tensor) {
  const size_t size = SizeOf(tensor.dtype());
  for (size_t at = size; at < tensor.bytes(); ++at) {
    if (tensor.data()[at] != tensor.data()[at - size]) return false;
  }
  return true;
}

std::string Values(const Tensor& tensor, const TextOptions& options) {
  std::string out;
  const bool few = tensor.count() <= options.max_values;
  VisitDType(tensor.dtype(), [&]<typename T>(T) {
    const auto values = tensor.as<T>();
    if (few) {
      out = tensor.rank() == 0 ? Element(values[0]) : List(values, Element<T>);
    } else if (AllTheSame(tensor)) {
      out = Text("fill(", Element(values[0]), ")");
    } else {
      out = options.hashes ? Text("hash(", ContentHash(tensor), ")") : "...";
    }
  });
  return out;
}

class Printer {
 public:
  Printer(const Graph& graph, const TextOptions& options) : graph_(graph), options_(options) {}

  std::string Print() {
    if (!graph_.name.empty()) out_ += Text("graph ", Name(graph_.name), "\n");
    for (const auto& [domain, version] : graph_.opsets) {
      out_ += Text("opset ", domain.empty() ? "" : Name(domain) + ' ', version, "\n");
    }
    for (ValueId id : graph_.inputs()) out_ += Text("input ", Typed(id), "\n");
    std::vector<bool> printed(graph_.value_count());
    for (NodeId id : graph_.Order()) {
      for (ValueId input : graph_.node(id).inputs) PrintStored(input, printed);
      PrintNode(graph_.node(id));
    }
    for (const Output& output : graph_.outputs()) {
      PrintStored(output.value, printed);
      const std::string& name = graph_.value(output.value).name;
      out_ += Text("output ", Name(name),
                   name == output.name ? "" : Text(" as ", Name(output.name)), "\n");
    }
    for (const Assignment& assignment : graph_.assignments()) {
      PrintStored(assignment.state, printed);
      PrintStored(assignment.value, printed);
      out_ += Text("assign ", Name(graph_.value(assignment.state).name), " = ",
                   Name(graph_.value(assignment.value).name), "\n");
    }
    return std::move(out_);
  }

 private:
  std::string TypeOf(const TensorType& type) const {
    std::string text(DTypeName(type.dtype));
    if (!type.shape) return text;
    return text + List(*type.shape, [&](Dim dim) -> std::string {
             if (dim.known()) return std::to_string(dim.size());
             return dim.is_symbol() ? SymbolName(graph_.symbols()[dim.symbol()]) : "?";
           });
  }

  std::string Typed(ValueId id) const {
    if (id == ValueId::kNone) return "_";
    const Value& value = graph_.value(id);
    const bool untyped = value.type.dtype == DType::kNone && !value.type.shape;
    return untyped ? Name(value.name) : Text(Name(value.name), ": ", TypeOf(value.type));
  }

  // A constant, parameter or state stands before its first use.
  void PrintStored(ValueId id, std::vector<bool>& printed) {
    if (id == ValueId::kNone || printed[static_cast<size_t>(id)]) return;
    const Value& value = graph_.value(id);
    if (value.kind == ValueKind::kInput || value.kind == ValueKind::kResult) return;
    printed[static_cast<size_t>(id)] = true;
    const std::string_view kind = value.kind == ValueKind::kConstant    ? "const "
                                  : value.kind == ValueKind::kParameter ? "param "
                                                                        : "state ";
    out_ += Text(kind, Typed(id), " = ", Values(value.data, options_), "\n");
  }

  std::string AttrText(const AttrValue& attr) const {
    return std::visit(
        [&]<typename T>(const T& value) -> std::string {
          if constexpr (std::is_same_v<T, int64_t>) {
            return Number(value);
          } else if constexpr (std::is_same_v<T, float>) {
            return FloatAttr(value);
          } else if constexpr (std::is_same_v<T, std::string>) {
            return Quoted(value);
          } else if constexpr (std::is_same_v<T, Ints>) {
            return List(value, Number<int64_t>);
          } else if constexpr (std::is_same_v<T, Floats>) {
            return value.empty() ? "floats" : List(value, FloatAttr);
          } else if constexpr (std::is_same_v<T, Strings>) {
            return value.empty() ? "strings" : List(value, Quoted);
          } else if constexpr (std::is_same_v<T, Tensor>) {
            return Text(TypeOf(graph::TypeOf(value)), " = ", Values(value, options_));
          } else {
            return Text("opaque ", Quoted(value.bytes));
          }
        },
        attr);
  }

  void PrintNode(const Node& node) {
    std::string_view comma;
    for (ValueId output : node.outputs) {
      out_ += Text(comma, Typed(output));
      comma = ", ";
    }
    out_ += Text(" = ", Name(node.op), "(");
    comma = "";
    for (ValueId input : node.inputs) {
      out_ += Text(comma, input == ValueId::kNone ? "_" : Name(graph_.value(input).name));
      comma = ", ";
    }
    out_ += ')';
    comma = " {";
    for (const auto& [name, value] : node.attrs) {
      out_ += Text(comma, Name(name), "=", AttrText(value));
      comma = ", ";
    }
    if (!node.attrs.empty()) out_ += '}';
    if (!node.name.empty()) out_ += Text("  # ", Name(node.name));
    out_ += '\n';
  }

  const Graph& graph_;
  const TextOptions& options_;
  std::string out_;
};

}  // namespace

std::string Print(const Graph& graph, const TextOptions& options) {
  return Printer(graph, options).Print();
}

}  // namespace pare::graph
