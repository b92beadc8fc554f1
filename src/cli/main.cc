#include <csignal>
#include <iostream>

#include "cli/command.h"
#include "platform/signal.h"

int main(int count, char** values) {
  const pare::InterruptScope interrupts;
  std::signal(SIGXFSZ, SIG_IGN);  // a file past `ulimit -f` is an error of writing, not our end
  const std::vector<std::string> arguments(values + 1, values + count);
  pare::cli::Console console(std::cout, std::cerr, pare::cli::ConsoleStyle::Detect());
  return pare::cli::Main(arguments, console);
}
