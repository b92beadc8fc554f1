#include "platform/memory.h"

#include <sys/resource.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace pare {

// getrusage counts what the process was before exec as well (a large parent after fork), so it is
// only the second choice.
int64_t PeakRssBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoll(line.c_str() + 6, nullptr, 10) * 1024;
  }
  rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace pare
