// Command lines: a command declares where its options go, and the parser fills them in.
//
//   parser.Positional("MODEL", options.model, "an .onnx file");
//   parser.Option("--threads", "N", options.threads, 0, "…");
//   parser.Flag("--json", options.json, "…");
//
// Accepted: --name value, --name=value, -o value, flags, `--` before what only looks like an
// option.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace pare::cli {

class Parser {
 public:
  // `command`: "pare quantize", for usage lines and messages.
  explicit Parser(std::string command) : command_(std::move(command)) {}

  // Those declared next stand under this heading in the help.
  void Group(std::string heading) { group_ = std::move(heading); }

  // Required; in the order of their declaration.
  void Positional(std::string name, std::string& target, std::string help);
  void Flag(std::string names, bool& target, std::string help);
  // `names`: "--size", or "-o, --output". What is not given leaves its target as it was.
  void Option(std::string names, std::string value, std::string& target, std::string help);
  // Not less than `least`, not more than `most`.
  void Option(std::string names, std::string value, std::optional<double>& target, double least,
              double most, std::string help);
  void Option(std::string names, std::string value, std::optional<double>& target,
              std::string help);
  template <std::integral T>
  void Option(std::string names, std::string value, T& target, std::type_identity_t<T> least,
              std::string help) {
    Add(std::move(names), std::move(value), std::move(help),
        [&target, least](std::string_view text) -> Status {
          PARE_ASSIGN(const int64_t number,
                      WholeNumber(text, static_cast<int64_t>(least),
                                  static_cast<int64_t>(std::min<uint64_t>(
                                      std::numeric_limits<T>::max(), INT64_MAX))));
          target = static_cast<T>(number);
          return {};
        });
  }
  template <std::integral T>
  void Option(std::string names, std::string value, std::optional<T>& target,
              std::type_identity_t<T> least, std::string help) {
    Add(std::move(names), std::move(value), std::move(help),
        [&target, least](std::string_view text) -> Status {
          PARE_ASSIGN(target, WholeNumber(text, static_cast<int64_t>(least), INT64_MAX));
          return {};
        });
  }
  // May be given several times.
  void Option(std::string names, std::string value, std::vector<std::string>& target,
              std::string help);
  // `set` judges the text; its error is completed by the option's name.
  using Set = std::function<Status(std::string_view text)>;
  void Option(std::string names, std::string value, Set set, std::string help) {
    Add(std::move(names), std::move(value), std::move(help), std::move(set));
  }
  // The option declared last must be given.
  void Required() { entries_.back().required = true; }

  // False where help was asked for (-h, --help), and nothing is to be done but to print it.
  Result<bool> Parse(std::span<const std::string> arguments);

  // Usage, options by group.
  std::string Help() const;

 private:
  struct Entry {
    std::string names, value, help, group;
    Set set;
    bool repeatable = false, required = false, given = false;
  };

  static Result<int64_t> WholeNumber(std::string_view text, int64_t least, int64_t most);
  Entry& Add(std::string names, std::string value, std::string help, Set set);
  Entry* Find(std::string_view name);
  Status TakeOption(std::string_view argument, std::span<const std::string>& rest);
  Status TakePositional(const std::string& argument);
  Status Unknown(std::string_view name) const;
  std::string Advice() const;

  std::string command_, group_ = "options";
  std::vector<Entry> entries_;
  std::vector<Entry> positionals_;
};

// A finite number, with a point for the fraction.
Status ParseNumber(std::string_view text, std::optional<double>& number);

// The same within bounds.
Status ParseNumber(std::string_view text, double least, double most, std::optional<double>& number);

// A part of something: more than 0, at most 1.
Status ParsePart(std::string_view text, std::optional<double>& part);

// "--seconds S": more than 0, at most an hour.
void DeclareSeconds(Parser& parser, double& seconds, std::string help);

// Of `candidates` the one that `name` is most likely a slip of; "" where none is near.
std::string_view NearestName(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace pare::cli
