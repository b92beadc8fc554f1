// For the fuzz targets of what is opened by its path: a folder that goes away with the process.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace pare::data {

class FuzzFolder {
 public:
  FuzzFolder() : path_((std::filesystem::temp_directory_path() / "pare_fuzz_XXXXXX").string()) {
    if (!mkdtemp(path_.data())) abort();
  }
  ~FuzzFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  FuzzFolder(const FuzzFolder&) = delete;
  FuzzFolder& operator=(const FuzzFolder&) = delete;

  std::string Write(std::string_view name, std::string_view bytes) const {
    std::string path = path_ + "/" + std::string(name);
    std::ofstream(path, std::ios::binary).write(bytes.data(), std::ssize(bytes));
    return path;
  }

 private:
  std::string path_;
};

}  // namespace pare::data
