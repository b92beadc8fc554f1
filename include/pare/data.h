// Sample data: what calibrates, verifies and scores a model.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "pare/status.h"

namespace pare {

class Model;

// y = (x · scale − mean) / std after decoding, resize of the short side and centre crop. Fields as
// on the command line: "size", "crop", "scale", "mean", "std", "channels", "layout",
// "label_offset".
using PreprocessFields = std::map<std::string, std::string>;

// Immutable and cheap to copy.
class Dataset {
 public:
  // A folder of class folders or of pictures, a tar of the same, a list file, .npy, .npz, CIFAR or
  // IDX binaries, or CSV (with `label_column`); docs/data.md.
  static Result<Dataset> Open(const std::string& path, const std::string& label_column = "");
  // As samples of `model`: what its file tells of the data that it was made with holds for these.
  // A table's columns are taken by the names that it stores (kUsage where the header lacks one), or
  // by those of its several inputs; the column of the label and the names of classes are the
  // stored ones where none is given.
  static Result<Dataset> Open(const std::string& path, const Model& model,
                              const std::string& label_column = "");

  int64_t size() const;
  bool has_labels() const;

 private:
  friend struct Access;
  struct Impl;
  explicit Dataset(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace pare
