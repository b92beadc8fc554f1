#include "platform/contention.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace pare {
namespace {

constexpr double kShortest = 0.1;  // seconds

double OwnSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

// Lines "cpu7 user nice system idle iowait irq softirq steal …" in clock ticks (proc(5)).
std::optional<ContentionWatch::Seconds> ContentionWatch::Now() const {
  cpu_set_t ours;
  if (sched_getaffinity(0, sizeof ours, &ours) != 0) return std::nullopt;
  std::ifstream stat(root_ + "/proc/stat");
  double busy = 0, stolen = 0;
  bool found = false;
  for (std::string line; std::getline(stat, line) && line.starts_with("cpu");) {
    if (line.size() < 4 || line[3] == ' ') continue;  // the sum over all
    char* end = nullptr;
    const long processor = std::strtol(line.c_str() + 3, &end, 10);
    if (processor < 0 || processor >= CPU_SETSIZE || !CPU_ISSET(processor, &ours)) continue;
    std::istringstream ticks(end);
    double user, nice, system, idle, wait, irq, soft_irq, steal;
    if (!(ticks >> user >> nice >> system >> idle >> wait >> irq >> soft_irq >> steal)) continue;
    busy += user + nice + system + irq + soft_irq;
    stolen += steal;
    found = true;
  }
  if (!found) return std::nullopt;
  const auto tick = static_cast<double>(sysconf(_SC_CLK_TCK));
  return Seconds{busy / tick, stolen / tick, OwnSeconds()};
}

std::optional<Contention> ContentionWatch::Read() const {
  const double elapsed = watch_.seconds();
  const auto now = Now();
  if (!start_ || !now || elapsed < kShortest) return std::nullopt;
  const double others = (now->busy - start_->busy) - (now->own - start_->own);
  return Contention{std::max(others, 0.0) / elapsed,
                    std::max(now->stolen - start_->stolen, 0.0) / elapsed};
}

}  // namespace pare
