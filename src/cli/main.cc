#include <iostream>

#include "cli/command.h"
#include "platform/signal.h"

int main(int count, char** values) {
  const pare::InterruptScope interrupts;
  const std::vector<std::string> arguments(values + 1, values + count);
  pare::cli::Console console(std::cout, std::cerr, pare::cli::ConsoleStyle::Detect());
  return pare::cli::Main(arguments, console);
}
