#include "train/schedule.h"

#include <gtest/gtest.h>

namespace pare::train {
namespace {

TEST(Schedule, FollowsItsFormula) {
  const Schedule cosine{.kind = ScheduleKind::kCosine, .rate = 2, .steps = 100};
  EXPECT_DOUBLE_EQ(cosine.At(0), 2);
  EXPECT_NEAR(cosine.At(50), 1, 1e-12);
  EXPECT_LT(cosine.At(99), 0.001);

  const Schedule step{.kind = ScheduleKind::kStep, .rate = 1, .steps = 100};
  EXPECT_DOUBLE_EQ(step.At(49), 1);
  EXPECT_DOUBLE_EQ(step.At(50), 0.1);
  EXPECT_DOUBLE_EQ(step.At(75), 0.01);

  const Schedule cycle{.kind = ScheduleKind::kOneCycle, .rate = 1, .steps = 100};
  EXPECT_NEAR(cycle.At(0), 0.04, 1e-12);
  EXPECT_NEAR(cycle.At(30), 1, 1e-12);
  EXPECT_LT(cycle.At(99), 0.01);
}

TEST(Schedule, WarmsUpInALine) {
  const Schedule warm{.kind = ScheduleKind::kConstant, .rate = 1, .steps = 10, .warmup_steps = 4};
  EXPECT_DOUBLE_EQ(warm.At(0), 0.25);
  EXPECT_DOUBLE_EQ(warm.At(3), 1);
  EXPECT_DOUBLE_EQ(warm.At(9), 1);
  const Schedule cosine{.kind = ScheduleKind::kCosine, .rate = 1, .steps = 8, .warmup_steps = 4};
  EXPECT_DOUBLE_EQ(cosine.At(4), 1);
  EXPECT_NEAR(cosine.At(6), 0.5, 1e-12);
}

TEST(Schedule, NamesAreThere) {
  for (const char* name : {"constant", "step", "cosine", "one-cycle"})
    EXPECT_EQ(ScheduleName(ParseSchedule(name).value()), name);
  EXPECT_FALSE(ParseSchedule("linear"));
}

}  // namespace
}  // namespace pare::train
