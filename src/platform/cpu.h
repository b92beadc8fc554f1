// What the machine can do: instruction sets, caches, and how many threads this process may really
// use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace pare {

enum class Isa : uint8_t {
#define PARE_ISA(id, name, arch) id,
#include "platform/isa.inc"
#undef PARE_ISA
  kCount
};

std::string_view IsaName(Isa isa);
Result<Isa> ParseIsa(std::string_view name);

// A value, not a singleton: tests make the Cpu they want to ask about.
struct Cpu {
  std::string model = "unknown";
  uint32_t isas = 1u << static_cast<int>(Isa::kScalar);  // bit i = Isa(i) is usable
  int64_t l1_bytes = 32 << 10;
  int64_t l2_bytes = 512 << 10;
  int64_t l3_bytes = 0;  // 0 = none or unknown
  int cores = 1;         // processors that this process may run on (affinity)
  double quota = 0;      // processors granted by the cgroup's CPU quota; 0 = no limit

  bool has(Isa isa) const { return isas >> static_cast<int>(isa) & 1; }
  // min(cores, ceil(quota)), at least 1.
  int threads() const;
};

// The set of `isa` and of all that it implies, as in Cpu::isas; for a Cpu that this machine is not.
uint32_t ImpliedIsas(Isa isa);

// What the environment variable PARE_ISA names; nothing where it is unset or empty. An unknown name
// is an error (kUsage) that lists the names.
Result<std::optional<Isa>> IsaLimit();

// The machine as it is. IsaLimit() hides all that it does not imply (avx512vnni implies avx512,
// avx2 and scalar; avxvnni implies avx2); an unknown name hides nothing: programs ask for it first.
Cpu DetectCpu();

// `cpu` as a machine whose best instruction set is `isa` would be.
Cpu LimitTo(Cpu cpu, Isa isa);

}  // namespace pare
