// The learning rate over the steps of a run.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace pare::train {

enum class ScheduleKind : uint8_t {
  kConstant,
  kStep,      // a tenth at 1/2 and at 3/4 of the run
  kCosine,    // to 0 (Loshchilov & Hutter, "SGDR", 2017, eq. 5 without restarts)
  kOneCycle,  // up for 30 % of the run, then down, both as cosines (Smith & Topin 2018)
};
Result<ScheduleKind> ParseSchedule(std::string_view name);
std::string_view ScheduleName(ScheduleKind kind);

struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  double rate = 0.1;         // the highest
  int64_t steps = 1;         // of the whole run
  int64_t warmup_steps = 0;  // linear from 0; not with kOneCycle

  // At step 0 … steps − 1.
  double At(int64_t step) const;
};

}  // namespace pare::train
