#include "platform/machine_files.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <vector>

namespace pare {
namespace {

// The files meant here are short; an absent one reads as empty.
std::string Slurp(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

int64_t Number(std::string_view text) {
  int64_t value = -1;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// 0 = no limit, as everywhere below.
double Ratio(int64_t quota, int64_t period) {
  return quota > 0 && period > 0 ? static_cast<double>(quota) / static_cast<double>(period) : 0;
}

double QuotaV2(const std::string& directory) {  // "max 100000" or "150000 100000"
  const std::string text = Slurp(directory + "/cpu.max");
  const size_t space = text.find(' ');
  if (space == std::string::npos) return 0;
  return Ratio(Number(text), Number(std::string_view(text).substr(space + 1)));
}

double QuotaV1(const std::string& directory) {  // a quota of -1 is no limit
  return Ratio(Number(Slurp(directory + "/cpu.cfs_quota_us")),
               Number(Slurp(directory + "/cpu.cfs_period_us")));
}

double Tighter(double a, double b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

// A container may show the host's path of the group while only its own part is mounted: folders
// that don't exist read as "no limit", and the walk ends at the mount itself.
double WalkUp(const std::string& mount, std::string path, double (*read)(const std::string&)) {
  double quota = 0;
  while (true) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    quota = Tighter(quota, read(mount + path));
    if (path.empty()) return quota;
    path.resize(std::min(path.size(), path.rfind('/') + 1));  // npos + 1 == 0
  }
}

bool ListsCpu(std::string_view controllers) {
  while (true) {
    const size_t comma = controllers.find(',');
    if (controllers.substr(0, comma) == "cpu") return true;
    if (comma == std::string_view::npos) return false;
    controllers.remove_prefix(comma + 1);
  }
}

}  // namespace

double CgroupQuota(const std::string& root) {
  const std::string mount = root + "/sys/fs/cgroup";
  std::istringstream groups(Slurp(root + "/proc/self/cgroup"));
  double quota = 0;
  for (std::string line;
       std::getline(groups, line);) {  // "0::/v2/path" or "4:cpu,cpuacct:/v1/path"
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      quota = Tighter(quota, WalkUp(mount, path, QuotaV2));
      quota = Tighter(quota, WalkUp(mount + "/unified", path, QuotaV2));
    } else if (ListsCpu(controllers)) {
      for (const std::string& name : {controllers, std::string("cpu")}) {
        quota = Tighter(quota, WalkUp(mount + "/" + name, path, QuotaV1));
      }
    }
  }
  return quota;
}

int64_t ParseCacheSize(std::string_view text) {
  text = FirstLine(text);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0 || value > (int64_t{1} << 40)) return 0;
  const std::string_view unit = text.substr(end - text.data());
  if (unit.empty()) return value;
  if (unit == "K") return value << 10;
  if (unit == "M") return value << 20;
  return 0;
}

CacheSizes SysfsCaches(const std::string& root) {
  CacheSizes sizes;
  for (int i = 0; i < 10; ++i) {
    const std::string index =
        root + "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(i) + "/";
    const std::string level = Slurp(index + "level");
    if (level.empty()) break;
    if (FirstLine(Slurp(index + "type")) == "Instruction") continue;
    const int64_t bytes = ParseCacheSize(Slurp(index + "size"));
    if (level[0] == '1') sizes.l1 = bytes;
    if (level[0] == '2') sizes.l2 = bytes;
    if (level[0] == '3') sizes.l3 = bytes;
  }
  return sizes;
}

std::string CpuinfoModel(const std::string& root) {
  std::ifstream file(root + "/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
    return start == std::string::npos ? "" : line.substr(start);
  }
  return "";
}

}  // namespace pare
