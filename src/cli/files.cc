#include "cli/files.h"

#include <filesystem>
#include <map>

#include "platform/file.h"

namespace pare::cli {
namespace {

bool LiesIn(const std::string& folder, const std::string& file) {
  std::error_code error;
  const std::string inner = std::filesystem::canonical(file, error).string();
  const std::string outer = std::filesystem::canonical(folder, error).string();
  return !error && inner.starts_with(outer.ends_with('/') ? outer : outer + '/');
}

Status CheckWritable(const std::string& output) {
  if (IsDirectory(output)) {
    return Fail(Error(ErrorKind::kUsage, "it is a folder, and a file is to be written",
                      Text("e.g. ", JoinPath(output, "model.onnx")))
                    .at(output));
  }
  if (FileExists(output) && !IsRegularFile(output)) return {};
  PARE_TRY(AtomicFile::Create(output));
  return {};
}

}  // namespace

void CommandFiles::Read(const std::string& path) {
  if (!path.empty()) inputs_.push_back(path);
}

void CommandFiles::Read(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) Read(path);
}

void CommandFiles::Write(const std::string& path) {
  if (!path.empty()) outputs_.push_back(path);
}

void CommandFiles::WriteModel(const std::string& path) {
  Write(path);
  besides_.push_back(path + ".data");
}

Status CommandFiles::CheckInputs() const {
  std::map<std::string, std::string> replaced;  // by identity
  for (const auto* outputs : {&outputs_, &besides_}) {
    for (const std::string& output : *outputs) {
      if (IsRegularFile(output)) replaced.emplace(FileIdentity(output), output);
    }
  }
  const auto fail = [](const std::string& output) {
    return Fail(Error(ErrorKind::kUsage, "it is an input of this command and would be overwritten",
                      "give another name")
                    .at(output));
  };
  for (const std::string& input : inputs_) {
    if (replaced.empty()) break;
    const auto same = replaced.find(FileIdentity(input));
    if (same != replaced.end()) return fail(same->second);
    if (!IsDirectory(input)) continue;
    for (const auto& [identity, output] : replaced) {
      if (LiesIn(input, output)) return fail(output);
    }
  }
  return {};
}

Status CommandFiles::Check() const {
  PARE_TRY(CheckInputs());
  for (const std::string& output : outputs_) PARE_TRY(CheckWritable(output));
  std::map<std::string, std::string> written;  // by identity
  for (const auto* outputs : {&outputs_, &besides_}) {
    for (const std::string& output : *outputs) {
      if (FileExists(output) && !IsRegularFile(output)) continue;  // devices take all
      const auto [first, fresh] = written.emplace(FileIdentity(output), output);
      if (fresh) continue;
      return Fail(Error(ErrorKind::kUsage,
                        first->second == output
                            ? "this command would write two things to it"
                            : Text("this command would write to it what goes to ", first->second),
                        "give each output a name of its own")
                      .at(output));
    }
  }
  return {};
}

}  // namespace pare::cli
