#include <csignal>
#include <iostream>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "cli/command.h"
#include "platform/signal.h"

int main(int count, char** values) {
  const pare::InterruptScope interrupts;
  std::signal(SIGXFSZ, SIG_IGN);  // a file past `ulimit -f` is an error of writing, not our end
#ifdef __GLIBC__
  // Heaps of many threads each keep what they freed; threads here allocate little, and rarely.
  mallopt(M_ARENA_MAX, 2);
  // Large tensors go back to the system when they are freed; by default the limit grows with them.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
  const std::vector<std::string> arguments(values + 1, values + count);
  pare::cli::Console console(std::cout, std::cerr, pare::cli::ConsoleStyle::Detect());
  return pare::cli::Main(arguments, console);
}
