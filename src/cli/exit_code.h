// What the process returns to its caller.
#pragma once

#include <span>
#include <string_view>

#include "base/status.h"

namespace pare::cli {

struct ExitCode {
  ErrorKind kind;
  int code;
  std::string_view name;  // in --json's {"error": {"kind": …}}
  std::string_view meaning;
};

// One row for each ErrorKind.
std::span<const ExitCode> ExitCodes();
const ExitCode& ExitCodeOf(ErrorKind kind);

}  // namespace pare::cli
