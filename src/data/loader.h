// Batches in the form that a model takes, prepared by a worker thread while the model computes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/preprocess.h"

namespace pare::data {

// One input of the model. −1 = any size. shape[0] of the first input is the batch; other inputs
// have a batch too where their shape[0] is the same or −1, and else take one sample as a whole.
struct InputSpec {
  std::string name;
  DType dtype = DType::kF32;
  Dims shape;
};

struct Batch {
  std::vector<Tensor> inputs;    // one an input spec, in that order
  std::vector<int64_t> indices;  // of the samples; as many as are valid
  std::vector<int64_t> labels;   // beside indices, with the label offset; kNoLabel where unknown
  std::shared_ptr<const Dataset> dataset = {};  // whose samples these are

  // A model of fixed batch gets its rows filled up by repeating the last sample; only these count.
  int64_t count() const { return static_cast<int64_t>(indices.size()); }
  std::vector<Dims> shapes() const;  // of the inputs
};

// Says which samples the error of a model that ran on them is of.
Error OfSamples(const Error& error, const Batch& batch);

struct LoaderOptions {
  int64_t batch = 1;  // where the model leaves it open
  Preprocess preprocess;
  bool prefetch = true;
};

// For one thread. Memory is that of three batches, whatever the number of samples.
class Loader {
 public:
  // Checks that the data's first sample fits the model; the error says what doesn't.
  static Result<Loader> Make(std::shared_ptr<const Dataset> dataset, std::vector<InputSpec> inputs,
                             std::vector<int64_t> indices, LoaderOptions options);
  // All samples.
  static Result<Loader> Make(std::shared_ptr<const Dataset> dataset, std::vector<InputSpec> inputs,
                             LoaderOptions options);
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;
  ~Loader();

  // The next batch; nullopt after the last.
  Result<std::optional<Batch>> Next();
  void Rewind();

  int64_t batch() const;  // rows of a batch
  int64_t samples() const;

 private:
  class Impl;
  explicit Loader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace pare::data
