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

// As Pare, with Ctrl-C once `steps` steps of training are done.
class StoppingConsole : public cli::Console {
 public:
  StoppingConsole(std::ostream& out, std::ostream& err, int64_t steps)
      : Console(out, err, {}), left_(steps) {}
  void Stage(std::string_view what, int64_t total) override {
    training_ = what.starts_with("training");
    Console::Stage(what, total);
  }
  void Advance(int64_t units) override {
    if (training_) left_ -= units;
    Console::Advance(units);
  }
  bool cancelled() const override { return left_ <= 0; }

 private:
  int64_t left_;
  bool training_ = false;
};

inline Ran PareStopped(const Arguments& arguments, int64_t steps) {
  std::ostringstream out, err;
  StoppingConsole console(out, err, steps);
  const int code = cli::Main(arguments, console);
  return {code, out.str(), err.str()};
}

}  // namespace pare
