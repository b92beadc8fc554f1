#include "cli/parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/edit_distance.h"
#include "cli/text.h"

namespace pare::cli {
namespace {

// "-o, --output" → "-o", "--output"
std::vector<std::string_view> SplitNames(std::string_view names) {
  std::vector<std::string_view> split;
  while (true) {
    const size_t comma = names.find(", ");
    split.push_back(names.substr(0, comma));
    if (comma == std::string_view::npos) return split;
    names.remove_prefix(comma + 2);
  }
}

bool LooksLikeOption(std::string_view argument) {
  if (argument.size() < 2 || argument[0] != '-') return false;
  const bool number = (argument[1] >= '0' && argument[1] <= '9') || argument[1] == '.';
  return !number;
}

// "-" is elsewhere a name of the standard streams, and would be a file of that name here.
Status CheckNoStream(std::string_view text) {
  if (text != "-") return {};
  return Fail(ErrorKind::kUsage, "\"-\": models and data are not piped",
              "name a file; one that is called - is ./-");
}

// `text` in lines of at most `width` columns, those after the first indented.
std::string Wrapped(std::string_view text, size_t indent, size_t width) {
  std::string out;
  size_t column = 0;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    const auto columns = static_cast<size_t>(Columns(word));
    if (column > 0 && indent + column + 1 + columns > width) {
      out += '\n' + std::string(indent, ' ');
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += columns;
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return out;
}

}  // namespace

Status ParseNumber(std::string_view text, std::optional<double>& number) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return Fail(ErrorKind::kUsage, Text("\"", Printable(text), "\" is no number"),
                "a number with a point for the fraction, e.g. 0.5");
  }
  number = value;
  return {};
}

Status ParseNumber(std::string_view text, double least, double most,
                   std::optional<double>& number) {
  PARE_TRY(ParseNumber(text, number));
  if (*number >= least && *number <= most) return {};
  return Fail(ErrorKind::kUsage, Text(text, " is not between ", least, " and ", most),
              Text("a number from ", least, " to ", most));
}

Status ParsePart(std::string_view text, std::optional<double>& part) {
  PARE_TRY(ParseNumber(text, part));
  if (*part > 0 && *part <= 1) return {};
  return Fail(ErrorKind::kUsage, Text(text, " is not more than 0 and at most 1"),
              "the part that stays, e.g. 0.5");
}

void DeclareSeconds(Parser& parser, double& seconds, std::string help) {
  const auto set = [&seconds](std::string_view text) -> Status {
    std::optional<double> given;
    PARE_TRY(ParseNumber(text, given));
    if (*given <= 0 || *given > 3600) {
      return Fail(ErrorKind::kUsage, Text(text, " is not more than 0 and at most 3600"),
                  "e.g. --seconds 2");
    }
    seconds = *given;
    return {};
  };
  parser.Option("--seconds", "S", set, std::move(help));
}

std::string_view NearestName(std::string_view name, std::span<const std::string_view> candidates) {
  std::string_view nearest;
  size_t least = std::max<size_t>(name.size() / 3, 1) + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = EditDistance(name, candidate);
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

Parser::Entry& Parser::Add(std::string names, std::string value, std::string help, Set set) {
  entries_.push_back({.names = std::move(names),
                      .value = std::move(value),
                      .help = std::move(help),
                      .group = group_,
                      .set = std::move(set)});
  return entries_.back();
}

void Parser::Positional(std::string name, std::string& target, std::string help) {
  positionals_.push_back({.names = std::move(name),
                          .value = {},
                          .help = std::move(help),
                          .group = {},
                          .set = [&target](std::string_view text) -> Status {
                            PARE_TRY(CheckNoStream(text));
                            target = text;
                            return {};
                          }});
}

void Parser::Flag(std::string names, bool& target, std::string help) {
  Add(std::move(names), "", std::move(help), [&target](std::string_view) -> Status {
    target = true;
    return {};
  });
}

void Parser::Option(std::string names, std::string value, std::string& target, std::string help) {
  Add(std::move(names), std::move(value), std::move(help),
      [&target](std::string_view text) -> Status {
        if (text.empty())
          return Fail(ErrorKind::kUsage, "an empty text is no value", "leave the option out");
        PARE_TRY(CheckNoStream(text));
        target = text;
        return {};
      });
}

void Parser::Option(std::string names, std::string value, std::vector<std::string>& target,
                    std::string help) {
  Add(std::move(names), std::move(value), std::move(help),
      [&target](std::string_view text) -> Status {
        target.emplace_back(text);
        return {};
      })
      .repeatable = true;
}

void Parser::Option(std::string names, std::string value, std::optional<double>& target,
                    double least, double most, std::string help) {
  Add(std::move(names), std::move(value), std::move(help),
      [&target, least, most](std::string_view text) {
        return ParseNumber(text, least, most, target);
      });
}

void Parser::Option(std::string names, std::string value, std::optional<double>& target,
                    std::string help) {
  Add(std::move(names), std::move(value), std::move(help),
      [&target](std::string_view text) { return ParseNumber(text, target); });
}

Result<int64_t> Parser::WholeNumber(std::string_view text, int64_t least, int64_t most) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Fail(ErrorKind::kUsage, Text("\"", Printable(text), "\" is no whole number"),
                Text("digits alone, e.g. ", std::max<int64_t>(least, 1000)));
  }
  if (number < least) {
    return Fail(ErrorKind::kUsage, Text(number, " is less than ", least),
                Text("a whole number from ", least, " on"));
  }
  if (number > most) {
    return Fail(ErrorKind::kUsage, Text(number, " is more than ", most),
                Text("a whole number from ", least, " to ", most));
  }
  return number;
}

std::string Parser::Advice() const { return Text("`", command_, " --help` lists the options"); }

Parser::Entry* Parser::Find(std::string_view name) {
  for (Entry& entry : entries_) {
    const auto names = SplitNames(entry.names);
    if (std::find(names.begin(), names.end(), name) != names.end()) return &entry;
  }
  return nullptr;
}

Status Parser::Unknown(std::string_view name) const {
  std::vector<std::string_view> known;
  for (const Entry& entry : entries_) {
    for (const std::string_view each : SplitNames(entry.names)) known.push_back(each);
  }
  const std::string_view nearest = NearestName(name, known);
  return Fail(ErrorKind::kUsage,
              Text("there is no option ", Printable(name), nearest.empty() ? "" : "; is ", nearest,
                   nearest.empty() ? "" : " meant?"),
              Advice());
}

Status Parser::TakeOption(std::string_view argument, std::span<const std::string>& rest) {
  const size_t equals = argument.starts_with("--") ? argument.find('=') : std::string_view::npos;
  const std::string_view name = argument.substr(0, equals);
  Entry* entry = Find(name);
  if (!entry) return Unknown(name);
  std::string_view value;
  if (entry->value.empty()) {
    if (equals != std::string_view::npos) {
      return Fail(ErrorKind::kUsage, Text(name, " takes no value"), Advice());
    }
  } else if (equals != std::string_view::npos) {
    value = argument.substr(equals + 1);
  } else if (!rest.empty() && !LooksLikeOption(rest[0])) {
    value = rest[0];
    rest = rest.subspan(1);
  } else {
    return Fail(ErrorKind::kUsage, Text(name, " needs a value: ", name, ' ', entry->value),
                Advice());
  }
  if (entry->given && !entry->repeatable && !entry->value.empty()) {
    return Fail(ErrorKind::kUsage, Text(name, " is given twice"), "leave one of the two out");
  }
  entry->given = true;
  if (Status status = entry->set(value); !status) return Fail(status.error().at(name));
  return {};
}

Status Parser::TakePositional(const std::string& argument) {
  for (Entry& entry : positionals_) {
    if (entry.given) continue;
    if (argument.empty()) return Fail(ErrorKind::kUsage, Text(entry.names, " is empty"), Advice());
    entry.given = true;
    return entry.set(argument);
  }
  return Fail(ErrorKind::kUsage, Text("\"", Printable(argument), "\" is one argument too many"),
              Advice());
}

Result<bool> Parser::Parse(std::span<const std::string> arguments) {
  bool only_positionals = false;
  // Help wins over whatever else is wrong on the line.
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (argument == "-h" || argument == "--help") return false;
  }
  while (!arguments.empty()) {
    const std::string& argument = arguments[0];
    arguments = arguments.subspan(1);
    if (!only_positionals && argument == "--") {
      only_positionals = true;
    } else if (!only_positionals && LooksLikeOption(argument)) {
      PARE_TRY(TakeOption(argument, arguments));
    } else {
      PARE_TRY(TakePositional(argument));
    }
  }
  for (const Entry& entry : positionals_) {
    if (!entry.given)
      return Fail(ErrorKind::kUsage, Text(entry.names, " is missing: ", entry.help), Advice());
  }
  for (const Entry& entry : entries_) {
    if (!entry.required || entry.given) continue;
    return Fail(ErrorKind::kUsage, Text(entry.names, ' ', entry.value, " is missing: ", entry.help),
                Advice());
  }
  return true;
}

std::string Parser::Help() const {
  constexpr size_t kIndent = 28, kWidth = 98;
  std::string out = "usage: " + command_;
  for (const Entry& entry : positionals_) out += ' ' + entry.names;
  for (const Entry& entry : entries_) {
    if (entry.required) out += ' ' + std::string(SplitNames(entry.names)[0]) + ' ' + entry.value;
  }
  out += " [options]\n";
  const auto add = [&](std::string left, const std::string& help) {
    left = "  " + left;
    const auto columns = static_cast<size_t>(Columns(left));
    left += columns + 2 > kIndent ? '\n' + std::string(kIndent, ' ')
                                  : std::string(kIndent - columns, ' ');
    out += left + Wrapped(help, kIndent, kWidth) + '\n';
  };
  for (const Entry& entry : positionals_) add(entry.names, entry.help);
  const std::string* group = nullptr;
  for (const Entry& entry : entries_) {
    if (!group || *group != entry.group) out += '\n' + entry.group + ":\n";
    group = &entry.group;
    add(entry.names + (entry.value.empty() ? "" : ' ' + entry.value), entry.help);
  }
  return out;
}

}  // namespace pare::cli
