#include "onnx/external.h"

#include "onnx/messages.h"
#include "platform/file.h"

namespace pare::onnx {
namespace {

bool StaysInside(std::string_view location) {
  if (location.empty() || location.front() == '/') return false;
  if (location.find('\0') != location.npos) return false;
  while (!location.empty()) {
    const size_t end = std::min(location.find_first_of("/\\"), location.size());
    if (location.substr(0, end) == "..") return false;
    location.remove_prefix(std::min(end + 1, location.size()));
  }
  return true;
}

}  // namespace

Result<SharedBytes> NoExternalFiles::Open(std::string_view location) {
  return Fail(ErrorKind::kNotFound,
              Text("its data is in the file ", Printable(location), ", but it came without files"),
              "load the model by its path, with its data files beside it");
}

Result<SharedBytes> FolderFiles::Open(std::string_view location) {
  if (const auto at = open_.find(location); at != open_.end()) return at->second;
  if (!StaysInside(location)) {
    return Invalid(
        Text("its data is said to be at \"", Printable(location), "\", outside the model's folder"),
        "don't trust this file; data files lie beside the model or in folders below it");
  }
  const std::string path = JoinPath(folder_, location);
  if (!FileExists(path)) {
    return Fail(ErrorKind::kNotFound, Text("its data file ", Printable(path), " does not exist"),
                "put it beside the model under this name, or fetch the model again with its data");
  }
  PARE_ASSIGN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  const SharedBytes bytes{file->bytes(), file};
  open_.emplace(std::string(location), bytes);
  return bytes;
}

std::vector<std::string> FolderFiles::paths() const {
  std::vector<std::string> paths;
  for (const auto& [location, bytes] : open_) paths.push_back(JoinPath(folder_, location));
  return paths;
}

}  // namespace pare::onnx
