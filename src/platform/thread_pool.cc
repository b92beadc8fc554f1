// How a run goes. The caller gives each worker's share a word {epoch, units left}, then publishes
// the epoch. Everybody claims units by compare-and-swap on these words, first from his own share
// and then from the others', and at the end subtracts what he has done from `pending_`; the caller
// waits for that to reach zero. So it waits for tasks, never for workers: one that the system has
// descheduled and that has claimed nothing holds nobody up, and when it comes back the epoch in the
// words has moved on and its claims fail. Whoever holds a claim may read the job: the run that it
// belongs to can't end before the claim is worked off.
#include "platform/thread_pool.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <system_error>

#include "platform/clock.h"
#include "platform/denormals.h"

namespace pare {
namespace {

constexpr int kUnitBits = 24;
constexpr uint64_t kUnitMask = (uint64_t{1} << kUnitBits) - 1;
constexpr int64_t kSpinNs = 40'000;
constexpr int64_t kAwakeSpinNs = 4'000'000;

// Which pool the current thread works for at the moment, and as whom.
struct Place {
  const ThreadPool* pool = nullptr;
  int worker = 0;
};
thread_local Place place;

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

void FutexWait(std::atomic<uint32_t>& word, uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

void FutexWake(std::atomic<uint32_t>& word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

uint64_t StateOf(uint64_t epoch, int64_t units) {
  return epoch << kUnitBits | static_cast<uint64_t>(units);
}

}  // namespace

struct ThreadPool::Job {
  Body body;
  int64_t tasks;
  int64_t grain;  // tasks a unit
  int64_t units;

  int64_t ShareBegin(int64_t worker, int64_t threads) const { return units * worker / threads; }
};

ThreadPool::ThreadPool(int threads) {
  threads = std::clamp(threads, 1, 1024);
  shares_ = std::make_unique<Share[]>(threads);
  if (threads <= static_cast<int>(std::thread::hardware_concurrency())) spin_ns_ = kSpinNs;
  workers_.reserve(threads - 1);
  // The workers read workers_.size() in their first run, after all of this.
  for (int worker = 1; worker < threads; ++worker) {
    try {
      workers_.emplace_back([this, worker] { Loop(worker); });
    } catch (const std::system_error&) {  // a limit on threads: go on with those we have
      break;
    }
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true);
  epoch_.fetch_add(1);
  Wake(INT_MAX);
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Run(int64_t tasks, Body body) noexcept {
  if (tasks <= 0) return;
  const DenormalsAreZero flush;
  const bool nested = place.pool == this;
  if (nested || tasks == 1 || workers_.empty() || busy_.exchange(true, std::memory_order_acquire)) {
    body(0, tasks, nested ? place.worker : 0);
    return;
  }
  const int64_t grain = (tasks >> (kUnitBits - 1)) + 1;
  const Job job{body, tasks, grain, (tasks + grain - 1) / grain};
  const uint64_t epoch = epoch_.load(std::memory_order_relaxed) + 1;
  const int64_t count = threads();
  job_ = &job;
  pending_.store(job.units, std::memory_order_relaxed);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t units = job.ShareBegin(i + 1, count) - job.ShareBegin(i, count);
    shares_[i].state.store(StateOf(epoch, units), std::memory_order_release);
  }
  epoch_.store(epoch);
  Wake(job.units - 1);

  const Place outer = std::exchange(place, Place{this, 0});
  Work(epoch, 0);
  place = outer;
  const Stopwatch waited;
  for (int64_t i = 1; pending_.load(std::memory_order_acquire) != 0; ++i) {
    Pause();
    // Whoever holds the last tasks may need this very processor.
    if (i % 64 == 0 && waited.ns() > spin_ns_) sched_yield();
  }
  busy_.store(false, std::memory_order_release);
}

void ThreadPool::Work(uint64_t epoch, int worker) noexcept {
  const int count = threads();
  int64_t done = 0;
  for (int i = 0; i < count; ++i) {
    const int owner = worker + i < count ? worker + i : worker + i - count;
    int64_t left;
    while (const int64_t units = Claim(shares_[owner], epoch, &left)) {
      const Job& job = *job_;
      const int64_t first = job.ShareBegin(owner + 1, count) - left;
      job.body(first * job.grain, std::min((first + units) * job.grain, job.tasks), worker);
      done += units;
    }
  }
  if (done) pending_.fetch_sub(done, std::memory_order_release);
}

// Takes a part of what is left, so that claims are few and yet the last ones are small.
int64_t ThreadPool::Claim(Share& share, uint64_t epoch, int64_t* left) noexcept {
  uint64_t state = share.state.load(std::memory_order_acquire);
  while (true) {
    *left = static_cast<int64_t>(state & kUnitMask);
    if (StateOf(epoch, *left) != state || *left == 0) return 0;
    const int64_t units = std::max<int64_t>(1, *left / 4);
    if (share.state.compare_exchange_weak(state, state - units, std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
      return units;
    }
  }
}

void ThreadPool::Loop(int worker) noexcept {
  place = {this, worker};
  const DenormalsAreZero flush;
  uint64_t seen = 0;
  while (true) {
    if (!AwaitEpochAfter(seen)) Sleep(seen);
    const uint64_t epoch = epoch_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_acquire)) return;
    if (epoch == seen) continue;
    seen = epoch;
    Work(epoch, worker);
  }
}

// Spins; false when it is time to sleep.
bool ThreadPool::AwaitEpochAfter(uint64_t seen) noexcept {
  const Stopwatch spun;
  for (int64_t i = 1; epoch_.load(std::memory_order_acquire) == seen; ++i) {
    Pause();
    if (i % 16 != 0 && spin_ns_ > 0) continue;
    const bool awake = spin_ns_ > 0 && awake_.load(std::memory_order_relaxed) > 0;
    if (spun.ns() >= (awake ? kAwakeSpinNs : spin_ns_)) return false;
  }
  return true;
}

// The order makes a lost wake impossible: a sleeper counts itself and then looks at the epoch, the
// caller sets the epoch and then looks at the count, all sequentially consistent.
void ThreadPool::Sleep(uint64_t seen) noexcept {
  sleepers_.fetch_add(1);
  const uint32_t signal = signal_.load();
  if (epoch_.load() == seen) FutexWait(signal_, signal);
  sleepers_.fetch_sub(1);
}

void ThreadPool::Wake(int64_t count) noexcept {
  if (sleepers_.load() == 0) return;
  signal_.fetch_add(1);
  FutexWake(signal_, static_cast<int>(std::min<int64_t>(count, INT_MAX)));
}

ThreadPool::Awake::Awake(ThreadPool& pool) noexcept : pool_(pool) {
  pool_.awake_.fetch_add(1);
  pool_.Wake(INT_MAX);
}

ThreadPool::Awake::~Awake() { pool_.awake_.fetch_sub(1); }

}  // namespace pare
