#include "platform/cpu.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "platform/machine_files.h"
#include "platform/test_folder.h"

namespace pare {
namespace {

TEST(Cpu, NamesRoundTrip) {
  for (int i = 0; i < static_cast<int>(Isa::kCount); ++i) {
    const auto isa = ParseIsa(IsaName(static_cast<Isa>(i)));
    ASSERT_TRUE(isa);
    EXPECT_EQ(static_cast<int>(*isa), i);
  }
  EXPECT_FALSE(ParseIsa("avx"));
  EXPECT_FALSE(ParseIsa(""));
  EXPECT_NE(ParseIsa("sse").error().message().find("avx512vnni"), std::string::npos);
}

TEST(Cpu, LimitKeepsWhatIsImplied) {
  Cpu all;
  all.isas = (1u << static_cast<int>(Isa::kCount)) - 1;
  const Cpu vnni = LimitTo(all, Isa::kAvx512Vnni);
  for (Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Vnni}) {
    EXPECT_TRUE(vnni.has(isa)) << IsaName(isa);
  }
  for (Isa isa : {Isa::kAvxVnni, Isa::kAvx512Bf16, Isa::kNeon}) {
    EXPECT_FALSE(vnni.has(isa)) << IsaName(isa);
  }
  EXPECT_TRUE(LimitTo(all, Isa::kAvxVnni).has(Isa::kAvx2));
  EXPECT_FALSE(LimitTo(all, Isa::kAvxVnni).has(Isa::kAvx512));
  EXPECT_EQ(LimitTo(all, Isa::kScalar).isas, 1u);
  Cpu plain;  // never gains what it lacks
  EXPECT_EQ(LimitTo(plain, Isa::kAvx512).isas, 1u);
}

TEST(Cpu, ThreadsObeyQuota) {
  struct Case {
    int cores;
    double quota;
    int threads;
  };
  for (const Case& c : {Case{8, 0, 8}, Case{8, 1.5, 2}, Case{8, 0.2, 1}, Case{2, 16, 2},
                        Case{0, 0, 1}, Case{4, 4, 4}}) {
    Cpu cpu;
    cpu.cores = c.cores;
    cpu.quota = c.quota;
    EXPECT_EQ(cpu.threads(), c.threads) << c.cores << " cores, quota " << c.quota;
  }
}

TEST(Cpu, DetectionIsConsistent) {
  ASSERT_EQ(unsetenv("PARE_ISA"), 0);
  const Cpu cpu = DetectCpu();
  EXPECT_TRUE(cpu.has(Isa::kScalar));
  EXPECT_GE(cpu.cores, 1);
  EXPECT_GT(cpu.l1_bytes, 4 << 10);
  for (int i = 0; i < static_cast<int>(Isa::kCount); ++i) {
    const Isa isa = static_cast<Isa>(i);
    if (!cpu.has(isa)) continue;
    EXPECT_EQ(cpu.isas & ImpliedIsas(isa), ImpliedIsas(isa)) << IsaName(isa);
  }
#if defined(__x86_64__)
  EXPECT_EQ(cpu.has(Isa::kAvx2), bool(__builtin_cpu_supports("avx2")));
  EXPECT_EQ(cpu.has(Isa::kAvx512), bool(__builtin_cpu_supports("avx512bw")));
#endif
  ASSERT_EQ(setenv("PARE_ISA", "scalar", 1), 0);
  EXPECT_EQ(DetectCpu().isas, 1u);
  ASSERT_EQ(setenv("PARE_ISA", "nonsense", 1), 0);
  EXPECT_EQ(DetectCpu().isas, cpu.isas);
  EXPECT_EQ(IsaLimit().error().kind(), ErrorKind::kUsage);
  ASSERT_EQ(setenv("PARE_ISA", "avx2", 1), 0);
  EXPECT_EQ(IsaLimit().value(), Isa::kAvx2);
  unsetenv("PARE_ISA");
  EXPECT_EQ(IsaLimit().value(), std::nullopt);
}

TEST(Cgroup, V2TakesTheTightestOnTheWayUp) {
  TestFolder root;
  root.Write("proc/self/cgroup", "0::/user.slice/job\n");
  EXPECT_EQ(CgroupQuota(root.path()), 0);
  root.Write("sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
  EXPECT_EQ(CgroupQuota(root.path()), 0);
  root.Write("sys/fs/cgroup/user.slice/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(CgroupQuota(root.path()), 1.5);
  root.Write("sys/fs/cgroup/user.slice/job/cpu.max", "400000 100000\n");
  EXPECT_DOUBLE_EQ(CgroupQuota(root.path()), 1.5);
  root.Write("sys/fs/cgroup/user.slice/job/cpu.max", "50000 100000\n");
  EXPECT_DOUBLE_EQ(CgroupQuota(root.path()), 0.5);
  root.Write("sys/fs/cgroup/other/cpu.max", "1000 100000\n");  // not ours
  EXPECT_DOUBLE_EQ(CgroupQuota(root.path()), 0.5);
}

TEST(Cgroup, V1AndContainerMounts) {
  TestFolder root;
  root.Write("proc/self/cgroup",
             "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc\n");
  root.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  root.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CgroupQuota(root.path()), 0);
  // The container's own group is mounted at the root; the host's path doesn't exist inside.
  root.Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n");
  EXPECT_DOUBLE_EQ(CgroupQuota(root.path()), 2.5);
}

TEST(Cgroup, OddFilesAreNoLimit) {
  TestFolder root;
  EXPECT_EQ(CgroupQuota(root.path()), 0);
  root.Write("proc/self/cgroup", "garbage\n:\n0::\n0::/../..\n3:cpuset:/x\n");
  for (const char* text : {"", "max", "100000", "abc def", "100000 0", "-5 100000"}) {
    root.Write("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(CgroupQuota(root.path()), 0) << text;
  }
}

TEST(Caches, ReadFromSysfs) {
  TestFolder root;
  EXPECT_EQ(SysfsCaches(root.path()).l1, 0);
  const std::string cache = "sys/devices/system/cpu/cpu0/cache/index";
  const char* rows[][3] = {{"1", "Data", "48K"},
                           {"1", "Instruction", "32K"},
                           {"2", "Unified", "1M"},
                           {"3", "Unified", "x"}};
  for (int i = 0; i < 4; ++i) {
    root.Write(cache + std::to_string(i) + "/level", std::string(rows[i][0]) + "\n");
    root.Write(cache + std::to_string(i) + "/type", std::string(rows[i][1]) + "\n");
    root.Write(cache + std::to_string(i) + "/size", std::string(rows[i][2]) + "\n");
  }
  const CacheSizes sizes = SysfsCaches(root.path());
  EXPECT_EQ(sizes.l1, 48 << 10);
  EXPECT_EQ(sizes.l2, 1 << 20);
  EXPECT_EQ(sizes.l3, 0);
  EXPECT_EQ(ParseCacheSize("512"), 512);
  EXPECT_EQ(ParseCacheSize("12KB"), 0);
}

TEST(Cpuinfo, Model) {
  TestFolder root;
  EXPECT_EQ(CpuinfoModel(root.path()), "");
  root.Write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Fast CPU 9\nflags\t: a b\n");
  EXPECT_EQ(CpuinfoModel(root.path()), "Fast CPU 9");
}

}  // namespace
}  // namespace pare
