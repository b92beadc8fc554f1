#include "cli/exit_code.h"

namespace pare::cli {
namespace {

constexpr ExitCode kCodes[] = {
    {ErrorKind::kUnmet, 1, "unmet", "a goal could not be reached (--max-drop); all else worked"},
    {ErrorKind::kUsage, 2, "usage", "the command line is wrong, or asks for what can't be"},
    {ErrorKind::kNotFound, 3, "not_found", "a file or a name is not there"},
    {ErrorKind::kInvalid, 4, "invalid", "a model or data file is damaged"},
    {ErrorKind::kUnsupported, 5, "unsupported", "a valid model or file that pare can't handle"},
    {ErrorKind::kIo, 6, "io", "the system refused to read or write"},
    {ErrorKind::kMemory, 7, "memory", "memory is short"},
    {ErrorKind::kInternal, 70, "internal", "a bug of pare"},
    {ErrorKind::kCancelled, 130, "cancelled", "interrupted by Ctrl-C or SIGTERM"},
};

}  // namespace

std::span<const ExitCode> ExitCodes() { return kCodes; }

const ExitCode& ExitCodeOf(ErrorKind kind) {
  for (const ExitCode& code : kCodes) {
    if (code.kind == kind) return code;
  }
  return ExitCodeOf(ErrorKind::kInternal);
}

}  // namespace pare::cli
