#include "platform/cpu.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <thread>

#include "platform/machine_files.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace pare {
namespace {

constexpr int kIsaCount = static_cast<int>(Isa::kCount);

constexpr std::string_view kNames[kIsaCount] = {
#define PARE_ISA(id, name, arch) #name,
#include "platform/isa.inc"
#undef PARE_ISA
};

constexpr uint32_t Bit(Isa isa) { return 1u << static_cast<int>(isa); }

#if defined(__x86_64__)

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers CpuId(uint32_t leaf, uint32_t subleaf) {
  Registers r;
  if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx)) return {};
  return r;
}

// Which register states the system saves: without them the instructions fault, whatever CPUID says.
uint64_t SavedStates(bool has_xgetbv) {
  if (!has_xgetbv) return 0;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

bool All(uint32_t value, std::initializer_list<int> bits) {
  return std::all_of(bits.begin(), bits.end(), [&](int bit) { return value >> bit & 1; });
}

uint32_t DetectIsas() {
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;  // XCR0: SSE, AVX; and opmask, upper ZMM, high ZMM
  const Registers l1 = CpuId(1, 0), l7 = CpuId(7, 0);
  const Registers l71 = l7.eax >= 1 ? CpuId(7, 1) : Registers{};
  const uint64_t saved = SavedStates(All(l1.ecx, {27}));
  uint32_t isas = Bit(Isa::kScalar);
  const bool avx = All(l1.ecx, {12 /*FMA*/, 28 /*AVX*/, 29 /*F16C*/});
  if (!avx || !All(l7.ebx, {5 /*AVX2*/}) || (saved & kYmm) != kYmm) return isas;
  isas |= Bit(Isa::kAvx2);
  if (All(l71.eax, {4 /*AVX-VNNI*/})) isas |= Bit(Isa::kAvxVnni);
  if (!All(l7.ebx, {16 /*F*/, 17 /*DQ*/, 30 /*BW*/, 31 /*VL*/}) || (saved & kZmm) != kZmm) {
    return isas;
  }
  isas |= Bit(Isa::kAvx512);
  if (!All(l7.ecx, {11 /*AVX512-VNNI*/})) return isas;
  isas |= Bit(Isa::kAvx512Vnni);
  if (All(l71.eax, {5 /*AVX512-BF16*/})) isas |= Bit(Isa::kAvx512Bf16);
  return isas;
}

// Deterministic cache parameters, for systems that hide sysfs: leaf 4, or AMD's 0x8000001d alike.
CacheSizes CpuIdCaches(uint32_t leaf) {
  CacheSizes sizes;
  for (uint32_t i = 0; i < 8; ++i) {
    const Registers r = CpuId(leaf, i);
    const uint32_t type = r.eax & 31;
    if (type == 0) break;
    if (type == 2) continue;  // instructions
    const int64_t bytes = static_cast<int64_t>((r.ebx >> 22) + 1) * ((r.ebx >> 12 & 1023) + 1) *
                          ((r.ebx & 4095) + 1) * (static_cast<int64_t>(r.ecx) + 1);
    const uint32_t level = r.eax >> 5 & 7;
    if (level == 1) sizes.l1 = bytes;
    if (level == 2) sizes.l2 = bytes;
    if (level == 3) sizes.l3 = bytes;
  }
  return sizes;
}

CacheSizes AskedCaches() {
  const CacheSizes intel = CpuIdCaches(4);
  return intel.l1 ? intel : CpuIdCaches(0x8000001d);
}

#elif defined(__aarch64__)

uint32_t DetectIsas() {
  uint32_t isas = Bit(Isa::kScalar);
  const unsigned long caps = getauxval(AT_HWCAP);
  if (caps & HWCAP_ASIMD) isas |= Bit(Isa::kNeon);
  if (caps & HWCAP_ASIMD && caps & HWCAP_ASIMDDP) isas |= Bit(Isa::kNeonDot);
  return isas;
}

CacheSizes AskedCaches() { return {}; }

#else

uint32_t DetectIsas() { return Bit(Isa::kScalar); }
CacheSizes AskedCaches() { return {}; }

#endif

struct FreeSet {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

int AffinityCount() {
  for (int cpus = 1024; cpus <= 1 << 20;
       cpus *= 2) {  // the kernel refuses a set smaller than its own
    const std::unique_ptr<cpu_set_t, FreeSet> set(CPU_ALLOC(cpus));
    if (!set) break;
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    if (sched_getaffinity(0, bytes, set.get()) == 0) {
      return std::max(1, CPU_COUNT_S(bytes, set.get()));
    }
    if (errno != EINVAL) break;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void KeepKnown(int64_t& value, int64_t sysfs, int64_t asked) {
  if (sysfs > 0) {
    value = sysfs;
  } else if (asked > 0) {
    value = asked;
  }
}

}  // namespace

std::string_view IsaName(Isa isa) {
  const int i = static_cast<int>(isa);
  return i < kIsaCount ? kNames[i] : "?";
}

Result<Isa> ParseIsa(std::string_view name) {
  std::string all;
  for (int i = 0; i < kIsaCount; ++i) {
    if (kNames[i] == name) return static_cast<Isa>(i);
    all += Text(i ? ", " : "", kNames[i]);
  }
  return Fail(ErrorKind::kUsage, Text("'", name, "' is no instruction set"),
              Text("it is one of ", all));
}

Result<std::optional<Isa>> IsaLimit() {
  const char* name = std::getenv("PARE_ISA");
  if (!name || !*name) return std::nullopt;
  const Result<Isa> isa = ParseIsa(name);
  if (!isa) return Fail(isa.error().at("the environment variable PARE_ISA"));
  return *isa;
}

uint32_t ImpliedIsas(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
    case Isa::kCount:
      return Bit(Isa::kScalar);
    case Isa::kAvx2:
      return Bit(isa) | ImpliedIsas(Isa::kScalar);
    case Isa::kAvxVnni:
    case Isa::kAvx512:
      return Bit(isa) | ImpliedIsas(Isa::kAvx2);
    case Isa::kAvx512Vnni:
      return Bit(isa) | ImpliedIsas(Isa::kAvx512);
    case Isa::kAvx512Bf16:
      return Bit(isa) | ImpliedIsas(Isa::kAvx512Vnni);
    case Isa::kNeon:
      return Bit(isa) | ImpliedIsas(Isa::kScalar);
    case Isa::kNeonDot:
      return Bit(isa) | ImpliedIsas(Isa::kNeon);
  }
  return Bit(Isa::kScalar);
}

int Cpu::threads() const {
  if (!(quota > 0)) return std::max(1, cores);
  return std::max(1, static_cast<int>(std::min<double>(cores, std::ceil(quota))));
}

Cpu LimitTo(Cpu cpu, Isa isa) {
  cpu.isas &= ImpliedIsas(isa);
  return cpu;
}

Cpu DetectCpu() {
  Cpu cpu;
  if (std::string model = CpuinfoModel(""); !model.empty()) cpu.model = std::move(model);
  cpu.isas = DetectIsas();
  const CacheSizes sysfs = SysfsCaches(""), asked = AskedCaches();
  KeepKnown(cpu.l1_bytes, sysfs.l1, asked.l1);
  KeepKnown(cpu.l2_bytes, sysfs.l2, asked.l2);
  KeepKnown(cpu.l3_bytes, sysfs.l3, asked.l3);
  cpu.cores = AffinityCount();
  cpu.quota = CgroupQuota("");
  if (const auto limit = IsaLimit(); limit && *limit) cpu = LimitTo(std::move(cpu), **limit);
  return cpu;
}

}  // namespace pare
