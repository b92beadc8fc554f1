// A fork-join pool: persistent workers, no queue. One Run at a time is cut over all workers.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/function_ref.h"

namespace pare {

class ThreadPool {
 public:
  // Handles the tasks [begin, end). `worker` is in [0, threads()) and differs between the calls of
  // one Run that are under way at the same time: an index for scratch memory. Must not throw.
  using Body = FunctionRef<void(int64_t begin, int64_t end, int worker)>;

  // `threads` counts the caller of Run, who is worker 0; fewer are had where the system refuses
  // some.
  explicit ThreadPool(int threads);
  ~ThreadPool();  // no Run may be under way
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls `body` over [0, tasks), each task once, and returns when all are done; their writes are
  // then visible. Denormals are zero inside. Doesn't allocate.
  //
  // Worker w begins with the w-th contiguous share of the tasks, so that over several runs a core
  // finds what it wrote; then it takes what others have left. May be called from any thread: while
  // the pool is busy, and inside of a body, the call does all its tasks itself in the caller's
  // thread.
  void Run(int64_t tasks, Body body) noexcept;

  // While one lives, idle workers go on spinning (for some milliseconds at most) instead of
  // sleeping after some microseconds: for the time of a model's run, with its many short Runs.
  class Awake {
   public:
    explicit Awake(ThreadPool& pool) noexcept;
    ~Awake();
    Awake(const Awake&) = delete;
    Awake& operator=(const Awake&) = delete;

   private:
    ThreadPool& pool_;
  };

 private:
  // What is left of one worker's share: {epoch, units left} in one word, so that a claim by someone
  // who is late, and means an earlier run, fails.
  struct alignas(64) Share {
    std::atomic<uint64_t> state{0};
  };
  struct Job;

  void Loop(int worker) noexcept;
  bool AwaitEpochAfter(uint64_t seen) noexcept;
  void Sleep(uint64_t seen) noexcept;
  void Wake(int64_t count) noexcept;
  void Work(uint64_t epoch, int worker) noexcept;
  int64_t Claim(Share& share, uint64_t epoch, int64_t* left) noexcept;

  std::unique_ptr<Share[]> shares_;
  int64_t spin_ns_ = 0;  // 0 where the threads outnumber the processors
  // Written by the holder of busy_ before epoch_; valid for whoever has claimed units of that
  // epoch, because the run can't end before these are done.
  const Job* job_ = nullptr;
  alignas(64) std::atomic<uint64_t> epoch_{0};
  alignas(64) std::atomic<int64_t> pending_{0};  // units of the current run not yet done
  alignas(64) std::atomic<bool> busy_{false};
  std::atomic<bool> stop_{false};
  std::atomic<int> awake_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<uint32_t> signal_{0};  // the futex word
  std::vector<std::thread> workers_;
};

}  // namespace pare
