// Memory of the process.
#pragma once

#include <cstdint>

namespace pare {

// The most that was ever resident (VmHWM); 0 where the system doesn't say.
int64_t PeakRssBytes();

}  // namespace pare
