// The command-line program in process: arguments in, what it prints and its exit code out.
#pragma once

#include <boost/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "cli/command.h"

namespace pare {

using Arguments = std::vector<std::string>;

struct Ran {
  int code;
  std::string out, err;

  boost::json::object object() const { return boost::json::parse(out).as_object(); }
};

inline Ran Pare(const Arguments& arguments) {
  std::ostringstream out, err;
  cli::Console console(out, err, {});
  const int code = cli::Main(arguments, console);
  return {code, out.str(), err.str()};
}

}  // namespace pare
