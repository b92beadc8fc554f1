// Ctrl-C (SIGINT) and SIGTERM as a flag that long work polls, so that it can clean up.
#pragma once

#include <signal.h>

#include "base/status.h"

namespace pare {

// While one lives, the first signal sets the flag; a second one ends the process as usual.
// One at a time, made in main.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;

 private:
  struct sigaction interrupt_, terminate_;  // as they were
};

bool Interrupted() noexcept;
Status CheckInterrupt();  // kCancelled once the flag is set

}  // namespace pare
