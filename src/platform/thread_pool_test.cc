#include "platform/thread_pool.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <numeric>

#include "platform/clock.h"
#include "platform/denormals.h"

namespace {
std::atomic<int64_t> allocations{0};
}
[[gnu::noinline]] void* operator new(size_t bytes) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace pare {
namespace {

// Plain ints on purpose: a task done twice at once, or not yet visible, is a race that TSan sees.
void ExpectEachOnce(ThreadPool& pool, int64_t tasks) {
  std::vector<int> done(tasks, 0);
  pool.Run(tasks, [&](int64_t begin, int64_t end, int worker) {
    EXPECT_GE(worker, 0);
    EXPECT_LT(worker, pool.threads());
    EXPECT_LT(begin, end);
    for (int64_t i = begin; i < end; ++i) ++done[i];
  });
  for (int64_t i = 0; i < tasks; ++i) ASSERT_EQ(done[i], 1) << "task " << i << " of " << tasks;
}

TEST(ThreadPool, EachTaskOnceForAnyCounts) {
  for (int threads : {-1, 1, 2, 3, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), std::max(1, threads));
    for (int64_t tasks : {0, 1, 2, 3, 5, 8, 64, 1000, 4097}) ExpectEachOnce(pool, tasks);
  }
}

TEST(ThreadPool, ManyShortRunsUnderOversubscription) {
  ThreadPool pool(16);  // far more than processors here: workers are descheduled at any place
  int64_t sum = 0;
  std::vector<int64_t> part(16, 0);
  for (int run = 0; run < 2000; ++run) {
    pool.Run(5, [&](int64_t begin, int64_t end, int worker) { part[worker] += end - begin; });
  }
  sum = std::accumulate(part.begin(), part.end(), int64_t{0});
  EXPECT_EQ(sum, 10000);
}

TEST(ThreadPool, MoreTasksThanUnits) {
  ThreadPool pool(3);
  const int64_t tasks = (int64_t{1} << 40) + 5;
  std::atomic<int64_t> sum{0};
  pool.Run(tasks, [&](int64_t begin, int64_t end, int) { sum += end - begin; });
  EXPECT_EQ(sum.load(), tasks);
}

TEST(ThreadPool, NestedRunsInline) {
  ThreadPool pool(4);
  std::vector<int64_t> inner(64, 0);
  pool.Run(64, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i) {
      const auto self = std::this_thread::get_id();
      pool.Run(10, [&](int64_t b, int64_t e, int w) {
        EXPECT_EQ(std::this_thread::get_id(), self);
        EXPECT_EQ(w, worker);
        inner[i] += e - b;
      });
    }
  });
  EXPECT_EQ(std::accumulate(inner.begin(), inner.end(), int64_t{0}), 640);
}

TEST(ThreadPool, SeveralCallersAtOnce) {
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&] {
      for (int run = 0; run < 200; ++run) ExpectEachOnce(pool, 1 + run % 17);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(ThreadPool, WakesAfterSleepAndStaysAwake) {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(8));  // beyond any spinning
    ExpectEachOnce(pool, 100);
    const ThreadPool::Awake awake(pool);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ExpectEachOnce(pool, 100);
  }
}

// A worker that is held up must not keep the others' tasks: the caller does them.
TEST(ThreadPool, OthersTakeWhatASlowWorkerHasNotClaimed) {
  ThreadPool pool(2);
  std::atomic<int64_t> by_caller{0};
  std::atomic<bool> caller_done{false};
  pool.Run(64, [&](int64_t begin, int64_t end, int worker) {
    if (worker == 0) {
      if ((by_caller += end - begin) >= 40) caller_done = true;
    } else {
      while (!caller_done) std::this_thread::yield();  // holds its first claim of at most 8
    }
  });
  EXPECT_GE(by_caller.load(), 40);
}

TEST(ThreadPool, RunDoesNotAllocate) {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  const auto body = [&](int64_t begin, int64_t end, int) { sum += end - begin; };
  pool.Run(100, body);
  const int64_t before = allocations.load();
  for (int i = 0; i < 100; ++i) pool.Run(100, body);
  EXPECT_EQ(allocations.load(), before);
  EXPECT_EQ(sum.load(), 10100);
}

bool DenormalsSurvive() {
  volatile float tiny = 1e-40f, one = 1.0f;
  return tiny * one != 0.0f;
}

TEST(Denormals, ZeroInEveryWorkerAndRestored) {
  ASSERT_TRUE(DenormalsSurvive());
  ThreadPool pool(4);
  std::atomic<int> survived{0};
  for (int run = 0; run < 20; ++run) {
    pool.Run(16, [&](int64_t, int64_t, int) { survived += DenormalsSurvive(); });
    pool.Run(1, [&](int64_t, int64_t, int) { survived += DenormalsSurvive(); });
  }
  EXPECT_EQ(survived.load(), 0);
  EXPECT_TRUE(DenormalsSurvive());
  {
    const DenormalsAreZero flush;
    EXPECT_FALSE(DenormalsSurvive());
  }
  EXPECT_TRUE(DenormalsSurvive());
}

}  // namespace
}  // namespace pare
