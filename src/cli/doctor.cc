#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "cli/command.h"
#include "cli/text.h"
#include "cli/version.h"
#include "platform/cpu.h"

namespace pare::cli {
namespace {

#if defined(__aarch64__)
constexpr std::string_view kArchitecture = "aarch64";
#else
constexpr std::string_view kArchitecture = "x86_64";
#endif

struct DoctorOptions {
  CommonOptions common;
  void Declare(Parser&) {}
};

struct IsaState {
  std::string_view name;
  bool usable;
};

struct DoctorReport {
  Cpu cpu;
  std::vector<IsaState> isas;  // of this architecture, best last
  std::string limited_to;      // PARE_ISA; "" where it is not set
  int processors = 0;          // of the machine, online
  int64_t memory_bytes = 0, free_bytes = 0;
  std::string threads_reason;
  std::vector<std::string> warnings;
};

std::vector<IsaState> ListIsas(const Cpu& cpu) {
  std::vector<IsaState> isas;
#define PARE_ISA(id, name, arch)                                    \
  if (std::string_view(#arch) == "any" || kArchitecture == #arch) { \
    isas.push_back({#name, cpu.has(Isa::id)});                      \
  }
#include "platform/isa.inc"
#undef PARE_ISA
  return isas;
}

std::string ThreadsReason(const Cpu& cpu, int processors) {
  if (cpu.quota > 0 && std::ceil(cpu.quota) < cpu.cores)
    return "the cgroup's CPU quota allows no more";
  if (cpu.cores < processors) return "this process may run on no more (affinity)";
  return "one for each processor";
}

std::vector<std::string> Warnings(const DoctorReport& report) {
  std::vector<std::string> warnings;
  const Cpu& cpu = report.cpu;
  if (cpu.quota > 0 && cpu.quota < cpu.cores) {
    warnings.push_back(Text("the container may use ", cpu.quota, " of ", cpu.cores,
                            " processors: more than ", cpu.threads(),
                            " threads would be stopped again and again"));
  }
  const bool known = std::any_of(report.isas.begin(), report.isas.end(), [&](const IsaState& isa) {
    return isa.name == report.limited_to;
  });
  if (!report.limited_to.empty() && !known) {
    warnings.push_back(Text("PARE_ISA=", report.limited_to,
                            " is no instruction set of this machine's kind and has no effect"));
  } else if (!report.limited_to.empty()) {
    warnings.push_back(
        Text("PARE_ISA=", report.limited_to, " hides instruction sets that this CPU may have"));
  }
  const auto vector = [](const IsaState& isa) { return isa.usable && isa.name != "scalar"; };
  if (std::none_of(report.isas.begin(), report.isas.end(), vector)) {
    warnings.push_back("no vector instructions are usable: everything runs in plain C++, slowly");
  }
  return warnings;
}

Json ToJson(const DoctorReport& report) {
  const Cpu& cpu = report.cpu;
  Json usable = Json::Array();
  for (const IsaState& isa : report.isas) {
    if (isa.usable) usable.Add(isa.name);
  }
  return Json::Object({{"version", kVersion.number},
                       {"compiler", kVersion.compiler},
                       {"architecture", kVersion.architecture},
                       {"cpu", cpu.model},
                       {"isas", std::move(usable)},
                       {"limited_to", report.limited_to.empty() ? Json() : Json(report.limited_to)},
                       {"caches", Json::Object({{"l1_bytes", cpu.l1_bytes},
                                                {"l2_bytes", cpu.l2_bytes},
                                                {"l3_bytes", cpu.l3_bytes}})},
                       {"processors", report.processors},
                       {"cores", cpu.cores},
                       {"quota", cpu.quota > 0 ? Json(cpu.quota) : Json()},
                       {"threads", cpu.threads()},
                       {"threads_reason", report.threads_reason},
                       {"memory_bytes", report.memory_bytes},
                       {"free_memory_bytes", report.free_bytes},
                       {"warnings", Json::ArrayOf(report.warnings)}});
}

std::string ToText(const DoctorReport& report) {
  const Cpu& cpu = report.cpu;
  std::string usable, missing;
  for (const IsaState& isa : report.isas) (isa.usable ? usable : missing) += Text(' ', isa.name);
  const auto cache = [](int64_t bytes) {
    return bytes > 0 ? Text(bytes / 1024, " KiB") : std::string("–");
  };
  Table table({{"", Table::Align::kLeft}, {"", Table::Align::kLeft}});
  table.Add({"pare", Text(kVersion.number, ", ", kVersion.compiler, ", ", kVersion.architecture)});
  table.Add({"processor", cpu.model});
  table.Add({"kernels", usable.substr(usable.empty() ? 0 : 1)});
  if (!missing.empty())
    table.Add({"  not here", Text(missing.substr(1), " (tests run them emulated)")});
  table.Add({"caches", Text("L1 ", cache(cpu.l1_bytes), ", L2 ", cache(cpu.l2_bytes), ", L3 ",
                            cache(cpu.l3_bytes))});
  table.Add(
      {"processors", Text(report.processors, " in the machine, ", cpu.cores, " for this process")});
  table.Add({"quota", cpu.quota > 0 ? Text(cpu.quota, " processors") : std::string("none")});
  table.Add({"threads", Text(cpu.threads(), ": ", report.threads_reason)});
  table.Add(
      {"memory", Text(ByteText(report.memory_bytes), ", ", ByteText(report.free_bytes), " free")});
  std::string text = table.Text();
  for (const std::string& warning : report.warnings)
    text += Text("warning: ", Printable(warning), '\n');
  return text;
}

Status Examine(const DoctorOptions&, Console& console) {
  DoctorReport report;
  report.cpu = DetectCpu();
  report.isas = ListIsas(report.cpu);
  if (const char* limit = std::getenv("PARE_ISA")) report.limited_to = limit;
  report.processors = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  const int64_t page = sysconf(_SC_PAGESIZE);
  report.memory_bytes = std::max(0L, sysconf(_SC_PHYS_PAGES)) * page;
  report.free_bytes = std::max(0L, sysconf(_SC_AVPHYS_PAGES)) * page;
  report.threads_reason = ThreadsReason(report.cpu, report.processors);
  report.warnings = Warnings(report);
  return console.Show(report);
}

}  // namespace

extern const Command kDoctorCommand = {
    .name = "doctor",
    .summary = "what this machine can do, and what pare makes of it",
    .examples = "pare doctor\npare doctor --json",
    .run = ParseAndRun<DoctorOptions, Examine>,
};

}  // namespace pare::cli
