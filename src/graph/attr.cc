#include "graph/attr.h"

#include <algorithm>
#include <cstring>

namespace pare::graph {
namespace {

auto LowerBound(auto& entries, std::string_view name) {
  return std::lower_bound(
      entries.begin(), entries.end(), name,
      [](const auto& entry, std::string_view key) { return entry.first < key; });
}

bool SameValue(const AttrValue& a, const AttrValue& b) {
  if (a.index() != b.index()) return false;
  return std::visit(
      [&]<typename T>(const T& left) {
        const T& right = std::get<T>(b);
        if constexpr (std::is_same_v<T, Tensor>) {
          return SameTensor(left, right);
        } else {
          return left == right;
        }
      },
      a);
}

}  // namespace

const AttrValue* Attrs::find(std::string_view name) const {
  const auto at = LowerBound(entries_, name);
  return at != entries_.end() && at->first == name ? &at->second : nullptr;
}

void Attrs::set(std::string_view name, AttrValue value) {
  const auto at = LowerBound(entries_, name);
  if (at != entries_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    entries_.emplace(at, std::string(name), std::move(value));
  }
}

void Attrs::erase(std::string_view name) {
  const auto at = LowerBound(entries_, name);
  if (at != entries_.end() && at->first == name) entries_.erase(at);
}

bool SameTensor(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.data() == b.data() || a.bytes() == 0 ||
          std::memcmp(a.data(), b.data(), a.bytes()) == 0);
}

bool SameAttrs(const Attrs& a, const Attrs& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& left, const auto& right) {
                      return left.first == right.first && SameValue(left.second, right.second);
                    });
}

}  // namespace pare::graph
