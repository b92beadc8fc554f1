// The samples of one quantization, and loaders over them.
#pragma once

#include <memory>
#include <vector>

#include "data/loader.h"
#include "data/split.h"

namespace pare::compress {

class Samples {
 public:
  Samples() = default;
  Samples(std::shared_ptr<const data::Dataset> dataset, std::vector<data::InputSpec> inputs,
          data::LoaderOptions options, std::vector<int64_t> calibration)
      : dataset_(std::move(dataset)),
        inputs_(std::move(inputs)),
        options_(std::move(options)),
        calibration_(std::move(calibration)) {}

  const std::shared_ptr<const data::Dataset>& dataset() const { return dataset_; }
  const data::Preprocess& preprocess() const { return options_.preprocess; }
  const std::vector<int64_t>& calibration() const { return calibration_; }
  // Evenly drawn from the calibration samples; all, where there are no more.
  std::vector<int64_t> Few(size_t count) const;

  Result<data::Loader> Load(std::vector<int64_t> indices) const;
  // In batches of one, or of as many as the model asks for.
  Result<data::Loader> LoadOneByOne(std::vector<int64_t> indices) const;
  // The same samples, spread over loaders that can be used side by side; how many these are does
  // not depend on the threads, and so neither does what is summed loader by loader.
  Result<std::vector<data::Loader>> Shards(const std::vector<int64_t>& indices) const;

 private:
  std::shared_ptr<const data::Dataset> dataset_;
  std::vector<data::InputSpec> inputs_;
  data::LoaderOptions options_;
  std::vector<int64_t> calibration_;
};

}  // namespace pare::compress
