// JSON for reports: built as a value, printed as text. Keys keep their order.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pare::cli {

class Json {
 public:
  Json() = default;  // null
  Json(bool value) : value_(value) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Json(T value) : value_(static_cast<int64_t>(value)) {}
  Json(double value) : value_(value) {}  // null where it is not finite
  Json(const char* text) : value_(std::string(text)) {}
  Json(std::string_view text) : value_(std::string(text)) {}
  Json(std::string text) : value_(std::move(text)) {}
  template <typename T>
  Json(const std::optional<T>& value) {
    if (value) *this = Json(*value);
  }

  static Json Object(std::initializer_list<std::pair<std::string_view, Json>> members = {});
  static Json Array() { return Json(std::vector<Json>()); }
  // Each element by `Json(element)` or by `make(element)`.
  template <typename Range, typename Make>
  static Json ArrayOf(const Range& range, Make&& make) {
    Json array = Array();
    for (const auto& element : range) array.Add(make(element));
    return array;
  }
  template <typename Range>
  static Json ArrayOf(const Range& range) {
    return ArrayOf(range, [](const auto& element) { return Json(element); });
  }

  void Add(Json element);                       // of an array
  void Set(std::string_view key, Json member);  // of an object; a key is set once

  // Two spaces a level; objects and arrays without nested ones on one line where they are short.
  // Bytes of strings that are no UTF-8 become the text \xNN.
  std::string Text() const;

 private:
  using Members = std::vector<std::pair<std::string, Json>>;
  explicit Json(std::vector<Json> elements) : value_(std::move(elements)) {}
  void Print(std::string& out, int indent) const;
  std::string Line() const;

  std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<Json>, Members>
      value_;
};

}  // namespace pare::cli
