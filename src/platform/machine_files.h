// What the system tells of the machine in files. `root` stands before every path ("" for the real
// system), so that a test can lay out a machine of its own. Missing or odd files give the default.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pare {

// Processors granted by the CPU quota of this process's cgroup and of all above it: the smallest of
// cpu.max (v2) and cpu.cfs_quota_us / cpu.cfs_period_us (v1). 0 = no limit.
double CgroupQuota(const std::string& root);

// Sizes in bytes of the data or unified caches of processor 0; 0 where the system doesn't say.
struct CacheSizes {
  int64_t l1 = 0;
  int64_t l2 = 0;
  int64_t l3 = 0;
};
CacheSizes SysfsCaches(const std::string& root);

// "32K" → 32768, "1M", "512"; 0 for anything else.
int64_t ParseCacheSize(std::string_view text);

// The model name of /proc/cpuinfo; "" where it has none (aarch64).
std::string CpuinfoModel(const std::string& root);

}  // namespace pare
