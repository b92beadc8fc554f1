// One input of one sample in the form of one input of a model.
#pragma once

#include "data/dataset.h"
#include "data/loader.h"
#include "data/preprocess.h"

namespace pare::data {

// A row: what stands at one place of the batch axis (or the whole input, where it has none).
class FittedRow {
 public:
  const Dims& shape() const { return shape_; }  // without the batch
  DType dtype() const { return dtype_; }
  // Writes the row's bytes, count × SizeOf(dtype) of them.
  Status WriteTo(const Preprocess& preprocess, std::byte* out) const;

 private:
  friend class Fitter;
  DType dtype_ = DType::kNone;
  Dims shape_;
  Tensor tensor_;  // an array as it is to be, or u8 pixels [h, w, c]
  bool pixels_ = false;
  int channels_ = 0;
  bool planar_ = false;
};

class Fitter {
 public:
  // `row`: the shape of spec without its batch axis, −1 = any.
  Fitter(const InputSpec& spec, Dims row, const Preprocess& preprocess)
      : spec_(spec), row_(std::move(row)), preprocess_(preprocess) {}

  // Pictures are resized, cropped and normalised where the model takes floats, or takes them in
  // four dimensions; arrays are cast, and reshaped where the number of elements leaves no doubt.
  Result<FittedRow> Fit(const SampleInput& input) const;

 private:
  struct Target {
    int64_t height, width, channels;  // 0 = any
    bool planar;
  };
  Result<Target> TargetOf(const Tensor& picture) const;
  Result<FittedRow> FitPixels(const Tensor& picture) const;
  Result<FittedRow> FitArray(const Tensor& array) const;

  const InputSpec& spec_;
  Dims row_;
  const Preprocess& preprocess_;
};

// Which of the sample's inputs feeds each of the model's: by name, or the only one.
Result<std::vector<int>> MatchInputs(const Sample& sample, const std::vector<InputSpec>& specs);

}  // namespace pare::data
