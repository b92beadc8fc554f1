// A node's attributes: names with constant values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/tensor.h"

namespace pare::graph {

// An attribute that no stage of pare reads (a subgraph of an unknown operator, a sparse tensor …),
// kept byte by byte so that an exported file still has it.
struct OpaqueAttr {
  std::string bytes;
  friend bool operator==(const OpaqueAttr&, const OpaqueAttr&) = default;
};

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;
using Strings = std::vector<std::string>;
using AttrValue =
    std::variant<int64_t, float, std::string, Ints, Floats, Strings, Tensor, OpaqueAttr>;

// Few and small: a vector sorted by name.
class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<std::string, AttrValue>> entries) {
    for (auto& [name, value] : entries) set(name, value);
  }

  const AttrValue* find(std::string_view name) const;
  void set(std::string_view name, AttrValue value);
  void erase(std::string_view name);
  bool has(std::string_view name) const { return find(name) != nullptr; }

  // The value, or `otherwise` where the attribute is missing or of another type.
  int64_t i(std::string_view name, int64_t otherwise) const { return get(name, otherwise); }
  float f(std::string_view name, float otherwise) const { return get(name, otherwise); }
  std::string s(std::string_view name, std::string otherwise = "") const {
    return get(name, std::move(otherwise));
  }
  Ints ints(std::string_view name, Ints otherwise = {}) const {
    return get(name, std::move(otherwise));
  }
  Floats floats(std::string_view name) const { return get(name, Floats()); }
  Strings strings(std::string_view name) const { return get(name, Strings()); }
  Tensor tensor(std::string_view name) const { return get(name, Tensor()); }

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  bool empty() const { return entries_.empty(); }

 private:
  template <typename T>
  T get(std::string_view name, T otherwise) const {
    const AttrValue* value = find(name);
    const T* typed = value ? std::get_if<T>(value) : nullptr;
    return typed ? *typed : std::move(otherwise);
  }
  std::vector<std::pair<std::string, AttrValue>> entries_;
};

// Equality of content (tensors by type, shape and bytes): what common-subexpression elimination
// asks.
bool SameAttrs(const Attrs& a, const Attrs& b);
bool SameTensor(const Tensor& a, const Tensor& b);

}  // namespace pare::graph
