#include "platform/signal.h"

#include <atomic>

namespace pare {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // all that a handler may touch

void Handle(int) { interrupted.store(true, std::memory_order_relaxed); }

}  // namespace

InterruptScope::InterruptScope() {
  interrupted = false;
  struct sigaction action = {};
  action.sa_handler = Handle;
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
}

InterruptScope::~InterruptScope() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
  interrupted = false;
}

bool Interrupted() noexcept { return interrupted.load(std::memory_order_relaxed); }

Status CheckInterrupt() {
  if (!Interrupted()) return {};
  return Fail(ErrorKind::kCancelled, "interrupted");
}

}  // namespace pare
