#include "train/schedule.h"

#include <cmath>
#include <numbers>
#include <string>

namespace pare::train {
namespace {

constexpr std::string_view kNames[] = {"constant", "step", "cosine", "one-cycle"};

// From `from` to `to` while `part` goes from 0 to 1.
double Cosine(double from, double to, double part) {
  return to + (from - to) * 0.5 * (1 + std::cos(std::numbers::pi * part));
}

}  // namespace

std::string_view ScheduleName(ScheduleKind kind) { return kNames[static_cast<int>(kind)]; }

Result<ScheduleKind> ParseSchedule(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<ScheduleKind>(i);
  }
  return Fail(ErrorKind::kUsage, Text("\"", name, "\" is no schedule"),
              "constant, step, cosine or one-cycle");
}

double Schedule::At(int64_t step) const {
  if (kind != ScheduleKind::kOneCycle && step < warmup_steps)
    return rate * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  const double part = static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, steps));
  switch (kind) {
    case ScheduleKind::kConstant:
      return rate;
    case ScheduleKind::kStep:
      return part < 0.5 ? rate : part < 0.75 ? rate * 0.1 : rate * 0.01;
    case ScheduleKind::kCosine: {
      const auto rest = static_cast<double>(std::max<int64_t>(1, steps - warmup_steps));
      return Cosine(rate, 0, static_cast<double>(step - warmup_steps) / rest);
    }
    case ScheduleKind::kOneCycle:
      return part < 0.3 ? Cosine(rate / 25, rate, part / 0.3)
                        : Cosine(rate, rate / 1e4, (part - 0.3) / 0.7);
  }
  return rate;
}

}  // namespace pare::train
