// A command is a record; commands.inc is THE list of them.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/console.h"
#include "cli/parser.h"

namespace pare::cli {

struct Command {
  std::string_view name;
  std::string_view summary;   // one line of the list
  std::string_view examples;  // lines as one would type them
  Status (*run)(const Command& command, std::span<const std::string> arguments, Console& console);
};

// Options that all commands have.
struct CommonOptions {
  bool json = false;
  bool quiet = false;
  void Declare(Parser& parser);
};

// What --help prints.
std::string HelpText(const Command& command, const Parser& parser);

// Parses into `Options` (its member Declare says where to), then runs. `common` is a member of it.
template <typename Options, Status (*run)(const Options&, Console&)>
Status ParseAndRun(const Command& command, std::span<const std::string> arguments,
                   Console& console) {
  Options options;
  Parser parser("pare " + std::string(command.name));
  options.Declare(parser);
  options.common.Declare(parser);
  PARE_ASSIGN(const bool go, parser.Parse(arguments));
  if (!go) return console.Print(HelpText(command, parser));
  console.set_json(options.common.json);
  console.set_quiet(options.common.quiet);
  return run(options, console);
}

std::span<const Command* const> AllCommands();

// The whole program but for the process: `arguments` without the program's name. Returns the exit
// code.
int Main(std::span<const std::string> arguments, Console& console);

}  // namespace pare::cli
