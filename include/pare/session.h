// Running a model.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "pare/model.h"

namespace pare {

struct SessionOptions {
  int threads = 0;  // 0: as many as affinity and the container's CPU quota allow
};

// Plans are made for each combination of input shapes when it first comes, and kept (a bounded
// number). Run may be called from several threads.
class Session {
 public:
  static Result<Session> Make(const Model& model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // `inputs` in the order of Model::inputs(), of their types.
  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs);
  // As above into `outputs`, one for each output; their memory is used again where type and shape
  // fit and nobody else holds it. With the same shapes a second call allocates nothing.
  Status Run(std::span<const Tensor> inputs, std::span<Tensor> outputs);

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pare
