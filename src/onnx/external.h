// Weights that lie in files beside the model.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "onnx/wire.h"

namespace pare::onnx {

struct SharedBytes {
  Bytes bytes;
  std::shared_ptr<const void> owner;
};

class ExternalFiles {
 public:
  virtual ~ExternalFiles() = default;
  // The whole file at `location`, which is relative to the model.
  virtual Result<SharedBytes> Open(std::string_view location) = 0;
};

// For models that come as bytes: they have no folder.
class NoExternalFiles final : public ExternalFiles {
 public:
  Result<SharedBytes> Open(std::string_view location) override;
};

// The files in the folder of the model, each mapped once. Locations that lead out of the folder by
// their own text ("/etc/passwd", "../x") are refused; symbolic links inside it are the user's own.
class FolderFiles final : public ExternalFiles {
 public:
  explicit FolderFiles(std::string folder) : folder_(std::move(folder)) {}
  Result<SharedBytes> Open(std::string_view location) override;
  // Of the files opened so far.
  std::vector<std::string> paths() const;

 private:
  std::string folder_;
  std::map<std::string, SharedBytes, std::less<>> open_;
};

}  // namespace pare::onnx
