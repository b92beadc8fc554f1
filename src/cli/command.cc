#include "cli/command.h"

#include <algorithm>
#include <exception>
#include <new>

#include "cli/exit_code.h"
#include "cli/text.h"
#include "cli/version.h"
#include "platform/cpu.h"

namespace pare::cli {

#define PARE_COMMAND(record) extern const Command record;
#include "cli/commands.inc"
#undef PARE_COMMAND

namespace {

constexpr const Command* kCommands[] = {
#define PARE_COMMAND(record) &record,
#include "cli/commands.inc"
#undef PARE_COMMAND
};

std::string Overview() {
  Table commands({{"", Table::Align::kLeft}, {"", Table::Align::kLeft}});
  for (const Command* command : kCommands) {
    commands.Add({std::string(command->name), std::string(command->summary)});
  }
  Table codes({{"", Table::Align::kRight}, {"", Table::Align::kLeft}});
  codes.Add({"0", "all went well"});
  for (const ExitCode& code : ExitCodes())
    codes.Add({std::to_string(code.code), std::string(code.meaning)});
  return Text("pare ", kVersion.number,
              ": makes trained ONNX models smaller and faster on plain CPUs, and shows",
              " what it costs\n\nusage: pare COMMAND [options]\n\ncommands:\n", commands.Text(2),
              "\n`pare COMMAND --help` lists a command's options. Exit codes:\n", codes.Text(2));
}

Status Dispatch(std::span<const std::string> arguments, Console& console) {
  if (arguments.empty()) return console.Print(Overview());
  std::string_view name = arguments[0];
  std::span<const std::string> rest = arguments.subspan(1);
  if (name == "-h" || name == "--help" || name == "help") {
    if (name != "help" || rest.empty()) return console.Print(Overview());
    static const std::string kHelp[] = {"--help"};
    name = rest[0];
    rest = kHelp;
  }
  if (name == "--version" || name == "-V") name = "version";
  PARE_TRY(IsaLimit());
  std::vector<std::string_view> names;
  for (const Command* command : kCommands) {
    if (command->name == name) return command->run(*command, rest, console);
    names.push_back(command->name);
  }
  if (name.starts_with('-')) {
    return Fail(ErrorKind::kUsage,
                Text("the command is missing: options like ", Printable(name), " stand behind it"),
                "`pare` lists the commands");
  }
  const std::string_view nearest = NearestName(name, names);
  return Fail(ErrorKind::kUsage,
              Text("there is no command \"", Printable(name), '"', nearest.empty() ? "" : "; is ",
                   nearest, nearest.empty() ? "" : " meant?"),
              "`pare` lists the commands");
}

Status Guarded(std::span<const std::string> arguments, Console& console) {
  try {
    return Dispatch(arguments, console);
  } catch (const std::bad_alloc&) {
    return Fail(ErrorKind::kMemory, "memory is short",
                "a smaller --batch, or fewer --threads, needs less");
  } catch (const std::exception& exception) {
    return Fail(ErrorKind::kInternal, Text("an exception: ", std::string_view(exception.what())),
                "this is a bug of pare; the command line that led here helps to find it");
  }
}

}  // namespace

void CommonOptions::Declare(Parser& parser) {
  parser.Group("output");
  parser.Flag("--json", json,
              "print one JSON object on standard output (docs/json.md) and nothing else there");
  parser.Flag("-q, --quiet", quiet, "neither progress nor notes on standard error");
}

std::string HelpText(const Command& command, const Parser& parser) {
  std::string text =
      Text("pare ", command.name, ": ", command.summary, "\n\n", parser.Help(), "\nexamples:\n");
  for (std::string_view rest = command.examples; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    text += Text("  ", rest.substr(0, end), '\n');
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return text;
}

std::span<const Command* const> AllCommands() { return kCommands; }

int Main(std::span<const std::string> arguments, Console& console) {
  // Known before parsing, so that a wrong option is reported in the form that was asked for.
  console.set_json(std::find(arguments.begin(), arguments.end(), "--json") != arguments.end());
  const Status status = Guarded(arguments, console);
  if (status) return 0;
  console.ShowError(status.error());
  return ExitCodeOf(status.error().kind()).code;
}

}  // namespace pare::cli
