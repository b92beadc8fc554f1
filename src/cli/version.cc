#include "cli/version.h"

#include "cli/command.h"
#include "pare_commit.h"

namespace pare::cli {

#if defined(__clang__)
constexpr std::string_view kCompiler = __VERSION__;  // names itself
#else
constexpr std::string_view kCompiler = "g++ " __VERSION__;
#endif

extern const Version kVersion = {PARE_VERSION, PARE_COMMIT, kCompiler, PARE_ARCHITECTURE};

namespace {

struct VersionOptions {
  CommonOptions common;
  void Declare(Parser&) {}
};

struct VersionReport {
  const Version& version;
};

Json ToJson(const VersionReport& report) {
  const Version& version = report.version;
  return Json::Object({{"version", version.number},
                       {"commit", version.commit.empty() ? Json() : Json(version.commit)},
                       {"compiler", version.compiler},
                       {"architecture", version.architecture}});
}

std::string ToText(const VersionReport& report) {
  const Version& version = report.version;
  return Text("pare ", version.number, " (", version.commit, version.commit.empty() ? "" : ", ",
              version.compiler, ", ", version.architecture, ")\n");
}

Status ShowVersion(const VersionOptions&, Console& console) {
  return console.Show(VersionReport{kVersion});
}

}  // namespace

extern const Command kVersionCommand = {
    .name = "version",
    .summary = "which pare this is",
    .examples = "pare version",
    .run = ParseAndRun<VersionOptions, ShowVersion>,
};

}  // namespace pare::cli
