#include "cli/json.h"

#include <charconv>
#include <cmath>

#include "base/json_quote.h"

namespace pare::cli {
namespace {

constexpr size_t kShort = 96;  // columns

// Shortest that reads back as the same number, and never in scientific notation for common sizes.
void PrintNumber(std::string& out, double value) {
  char text[40];
  const double size = std::abs(value);
  const bool plain = value == 0 || (size >= 1e-6 && size < 1e15);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::general;
  out.append(text, std::to_chars(text, text + sizeof text, value, format).ptr);
}

}  // namespace

Json Json::Object(std::initializer_list<std::pair<std::string_view, Json>> members) {
  Json object;
  object.value_ = Members();
  for (const auto& [key, member] : members) object.Set(key, member);
  return object;
}

void Json::Add(Json element) { std::get<std::vector<Json>>(value_).push_back(std::move(element)); }

void Json::Set(std::string_view key, Json member) {
  std::get<Members>(value_).emplace_back(std::string(key), std::move(member));
}

void Json::Print(std::string& out, int indent) const {
  const auto separate = [&](bool first) {
    if (!first) out += ',';
    if (indent < 0) {
      if (!first) out += ' ';
    } else {
      out += '\n';
      out.append(static_cast<size_t>(indent) + 2, ' ');
    }
  };
  const auto close = [&](char bracket, bool empty) {
    if (indent >= 0 && !empty) {
      out += '\n';
      out.append(static_cast<size_t>(indent), ' ');
    }
    out += bracket;
  };
  // A nested value on one line where it fits there.
  const auto print = [&](const Json& json) {
    if (indent < 0) return json.Print(out, -1);
    const std::string line = json.Line();
    if (line.size() <= kShort) {
      out += line;
    } else {
      json.Print(out, indent + 2);
    }
  };

  if (std::holds_alternative<std::monostate>(value_)) {
    out += "null";
  } else if (const bool* truth = std::get_if<bool>(&value_)) {
    out += *truth ? "true" : "false";
  } else if (const int64_t* integer = std::get_if<int64_t>(&value_)) {
    out += std::to_string(*integer);
  } else if (const double* number = std::get_if<double>(&value_)) {
    std::isfinite(*number) ? PrintNumber(out, *number) : void(out += "null");
  } else if (const std::string* text = std::get_if<std::string>(&value_)) {
    out += JsonQuoted(*text);
  } else if (const auto* elements = std::get_if<std::vector<Json>>(&value_)) {
    out += '[';
    for (size_t i = 0; i < elements->size(); ++i) {
      separate(i == 0);
      print((*elements)[i]);
    }
    close(']', elements->empty());
  } else {
    const Members& members = std::get<Members>(value_);
    out += '{';
    for (size_t i = 0; i < members.size(); ++i) {
      separate(i == 0);
      out += JsonQuoted(members[i].first) + ": ";
      print(members[i].second);
    }
    close('}', members.empty());
  }
}

std::string Json::Line() const {
  std::string out;
  Print(out, -1);
  return out;
}

std::string Json::Text() const {
  std::string out;
  Print(out, 0);
  return out + '\n';
}

}  // namespace pare::cli
