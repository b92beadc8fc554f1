#include "platform/contention.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <thread>

#include "base/status.h"
#include "platform/test_folder.h"

namespace pare {
namespace {

// A machine of one processor that this process may use, and one that it may not.
std::string Stat(int64_t busy, int64_t stolen) {
  cpu_set_t ours;
  sched_getaffinity(0, sizeof ours, &ours);
  int mine = 0;
  while (!CPU_ISSET(mine, &ours)) ++mine;
  return Text("cpu  9 9 9 9 9 9 9 9 0 0\ncpu", mine, " ", busy, " 0 0 5 7 0 0 ", stolen,
              " 0 0\ncpu1023 ", busy * 50, " 0 0 0 0 0 0 ", stolen * 50, " 0 0\nintr 1 2 3\n");
}

TEST(ContentionWatch, TellsWhatOthersUsed) {
  TestFolder root;
  root.Write("proc/stat", Stat(1000, 10));
  const ContentionWatch watch(root.path());
  EXPECT_FALSE(watch.Read());  // too short
  std::this_thread::sleep_for(std::chrono::milliseconds(150));
  const int64_t ticks = sysconf(_SC_CLK_TCK);  // of a second
  root.Write("proc/stat", Stat(1000 + ticks, 10 + ticks / 2));
  const auto contention = watch.Read();
  ASSERT_TRUE(contention);
  // One second and half a second, over the time that went by; a little of it was this test's.
  EXPECT_NEAR(contention->elsewhere / contention->stolen, 2, 0.2);
  EXPECT_LT(contention->elsewhere, 1 / 0.15);
  EXPECT_GT(contention->elsewhere, 0);
}

TEST(ContentionWatch, KnowsNothingWhereTheSystemIsSilent) {
  TestFolder root;
  for (const char* text : {"", "cpu\n", "cpu0\n", "cpu0 1 2 x\n", "cpu-1 1 1 1 1 1 1 1 1\n"}) {
    root.Write("proc/stat", text);
    const ContentionWatch watch(root.path());
    std::this_thread::sleep_for(std::chrono::milliseconds(110));
    EXPECT_FALSE(watch.Read()) << text;
  }
}

}  // namespace
}  // namespace pare
