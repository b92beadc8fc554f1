// A trained model: loaded from ONNX, saved to ONNX.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pare/status.h"
#include "pare/tensor.h"

namespace pare {

struct ValueInfo {
  std::string name;
  DType dtype = DType::kNone;
  std::vector<int64_t> shape;  // −1: free, the batch for example
};

// Immutable and cheap to copy; may be used from several threads.
class Model {
 public:
  // Opsets 7 to 24. Errors name the file, the node and what to do. Constants stay in the mapped
  // file, which must not be shortened while the model lives.
  static Result<Model> Load(const std::string& path);

  // As the session takes and gives them. A batch of 1 in the file is free here where the graph
  // allows.
  std::vector<ValueInfo> inputs() const;
  std::vector<ValueInfo> outputs() const;
  const std::map<std::string, std::string>& metadata() const;

  // Standard ONNX, written whole or not at all. Refuses to replace the files that it was loaded
  // from.
  Status Save(const std::string& path) const;

 private:
  friend struct Access;  // the implementation, in src/api
  struct Impl;
  explicit Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace pare
