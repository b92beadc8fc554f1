#include "cli/files.h"

#include <filesystem>
#include <map>

#include "platform/file.h"

namespace pare::cli {
namespace {

// Also where they aren't there yet. A folder lies in itself.
bool LiesIn(const std::string& folder, const std::string& file) {
  const auto whole = [](const std::string& path) {
    std::error_code error;
    const auto absolute = std::filesystem::absolute(path, error);
    const std::string text = std::filesystem::weakly_canonical(absolute, error).string();
    return text.ends_with('/') ? text : text + '/';
  };
  return whole(file).starts_with(whole(folder));
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

void CommandFiles::WriteFolder(const std::string& path) {
  if (!path.empty()) folders_.push_back(path);
}

Status CommandFiles::CheckFolders() const {
  for (const std::string& folder : folders_) {
    if (FileExists(folder) && !IsDirectory(folder)) {
      return Fail(Error(ErrorKind::kUsage, "it is a file, and a folder is to be filled",
                        "give another name")
                      .at(folder));
    }
    for (const auto* files : {&inputs_, &outputs_}) {
      for (const std::string& file : *files) {
        const bool holds = LiesIn(folder, file);
        if (!holds && !(IsDirectory(file) && IsDirectory(folder) && LiesIn(file, folder))) continue;
        return Fail(Error(ErrorKind::kUsage,
                          Text("this command would fill the folder, ",
                               holds ? "and it holds " : "which lies in ", file),
                          "give a folder of its own")
                        .at(folder));
      }
    }
  }
  return {};
}

Status CommandFiles::CheckInputs() const {
  std::map<std::string, std::string> replaced;  // by identity
  for (const std::string& output : outputs_) {
    if (IsRegularFile(output)) replaced.emplace(FileIdentity(output), output);
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
  PARE_TRY(CheckFolders());
  for (const std::string& output : outputs_) PARE_TRY(CheckWritable(output));
  std::map<std::string, std::string> written;  // by identity
  for (const std::string& output : outputs_) {
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
  return {};
}

}  // namespace pare::cli
