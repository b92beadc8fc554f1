#include "data/fit.h"

#include <algorithm>
#include <cstring>

namespace pare::data {
namespace {

bool IsChannels(int64_t size) { return size == 1 || size == 3; }

bool Matches(const Dims& have, const Dims& want) {
  return have.size() == want.size() &&
         std::equal(have.begin(), have.end(), want.begin(),
                    [](int64_t h, int64_t w) { return w < 0 || h == w; });
}

bool IsStatic(const Dims& shape) {
  return std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size >= 0; });
}

std::string WantedText(const Dims& shape) {
  std::string text = "[";
  for (const int64_t size : shape) {
    text += Text(text.size() > 1 ? "," : "", size < 0 ? std::string("?") : Text(size));
  }
  return text + "]";
}

}  // namespace

Result<FittedRow> Fitter::Fit(const SampleInput& input) const {
  const bool as_pixels = input.picture && (IsFloat(spec_.dtype) || row_.size() == 3);
  auto row = as_pixels ? FitPixels(input.tensor) : FitArray(input.tensor);
  if (!row) return Fail(row.error().at(Text("input '", spec_.name, "'")));
  return row;
}

// From the model's shape: [c, h, w], [h, w, c], [h, w], or [all of them].
Result<Fitter::Target> Fitter::TargetOf(const Tensor& picture) const {
  const int64_t have = picture.shape()[2];
  const auto size = [](int64_t dim) { return dim < 0 ? 0 : dim; };
  const bool interleaved = preprocess_.layout == Layout::kNhwc;
  if (row_.size() == 3) {
    const bool planar = preprocess_.layout == Layout::kNchw ||
                        (!interleaved && (IsChannels(row_[0]) || !IsChannels(row_[2])));
    const int64_t channels = planar ? row_[0] : row_[2];
    if (channels >= 0 && !IsChannels(channels)) {
      return Fail(ErrorKind::kUsage,
                  Text("the model wants ", channels, " channels (", planar ? "nchw" : "nhwc",
                       ") of shape ", WantedText(row_), "; pictures have 1 or 3"),
                  "give --layout, or arrays (.npy) instead of pictures");
    }
    return Target{size(planar ? row_[1] : row_[0]), size(planar ? row_[2] : row_[1]),
                  channels < 0 ? have : channels, planar};
  }
  if (row_.size() == 2) return Target{size(row_[0]), size(row_[1]), 1, true};
  if (row_.size() == 1) {
    const int64_t pixels = picture.shape()[0] * picture.shape()[1];
    return Target{0, 0, row_[0] == pixels ? 1 : row_[0] == 3 * pixels ? 3 : have, !interleaved};
  }
  return Fail(ErrorKind::kUsage, Text("a picture doesn't fit the shape ", WantedText(row_)),
              "give arrays (.npy, .npz) instead of pictures");
}

Result<FittedRow> Fitter::FitPixels(const Tensor& picture) const {
  PARE_ASSIGN(const Target target, TargetOf(picture));
  FittedRow row;
  row.dtype_ = spec_.dtype;
  row.pixels_ = true;
  row.channels_ = static_cast<int>(target.channels);
  row.planar_ = target.planar;
  PARE_ASSIGN(row.tensor_, FitPicture(preprocess_, picture, target.height, target.width));
  const int64_t height = row.tensor_.shape()[0], width = row.tensor_.shape()[1];
  switch (row_.size()) {
    case 3:
      row.shape_ = target.planar ? Dims{target.channels, height, width}
                                 : Dims{height, width, target.channels};
      break;
    case 2:
      row.shape_ = {height, width};
      break;
    default:
      row.shape_ = {height * width * target.channels};
      break;
  }
  if (!Matches(row.shape_, row_)) {
    return Fail(ErrorKind::kUsage,
                Text("the picture becomes ", DimsText(row.shape_), ", and the model wants ",
                     WantedText(row_)),
                "check --crop and --layout");
  }
  return row;
}

Result<FittedRow> Fitter::FitArray(const Tensor& array) const {
  FittedRow row;
  row.dtype_ = spec_.dtype;
  PARE_ASSIGN(row.tensor_,
              array.dtype() == spec_.dtype ? Result<Tensor>(array) : Cast(array, spec_.dtype));
  row.shape_ = array.shape();
  if (Matches(row.shape_, row_)) return row;
  // A batch of one inside of the sample.
  if (row.shape_.size() == row_.size() + 1 && row.shape_[0] == 1) {
    row.shape_.erase(row.shape_.begin());
    if (Matches(row.shape_, row_)) return row;
  }
  if (IsStatic(row_)) {
    const auto count = CountOf(row_);
    if (count && *count == array.count()) {
      row.shape_ = row_;
      return row;
    }
  }
  return Fail(
      ErrorKind::kUsage,
      Text("a sample has the shape ", DimsText(array.shape()), ", and the model wants ",
           WantedText(row_)),
      "the first axis of the data counts the samples; `pare inspect` lists the model's inputs");
}

Status FittedRow::WriteTo(const Preprocess& preprocess, std::byte* out) const {
  if (!pixels_) {
    if (tensor_.bytes() > 0) std::memcpy(out, tensor_.data(), tensor_.bytes());
    return {};
  }
  Preprocess formula = preprocess;
  if (!IsFloat(dtype_)) {  // an integer input takes the pixels as they are
    formula.scale = 1;
    formula.mean = {0, 0, 0};
    formula.std = {1, 1, 1};
  }
  if (dtype_ == DType::kF32) {
    NormalizePicture(formula, tensor_, channels_, planar_, reinterpret_cast<float*>(out));
    return {};
  }
  PARE_ASSIGN(Tensor floats, Tensor::Make(DType::kF32, shape_));
  NormalizePicture(formula, tensor_, channels_, planar_, floats.mutable_as<float>().data());
  PARE_ASSIGN(const Tensor cast, Cast(floats, dtype_));
  std::memcpy(out, cast.data(), cast.bytes());
  return {};
}

Result<std::vector<int>> MatchInputs(const Sample& sample, const std::vector<InputSpec>& specs) {
  const auto index_of = [&](const std::string& name) {
    const auto found = std::find_if(sample.inputs.begin(), sample.inputs.end(),
                                    [&](const SampleInput& input) { return input.name == name; });
    return found == sample.inputs.end() ? -1 : static_cast<int>(found - sample.inputs.begin());
  };
  std::vector<int> matches;
  std::string wanted, missing, given;
  for (const InputSpec& spec : specs) {
    matches.push_back(index_of(spec.name));
    wanted += Text(wanted.empty() ? "" : ", ", spec.name);
    if (matches.back() < 0) missing += Text(missing.empty() ? "" : ", ", spec.name);
  }
  if (missing.empty()) return matches;
  // One input and one array need no names.
  std::vector<int> data;
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    const std::string& name = sample.inputs[i].name;
    given += Text(given.empty() ? "" : ", ", name.empty() ? "one array without a name" : name);
    if (!IsLabelName(name)) data.push_back(static_cast<int>(i));
  }
  if (specs.size() == 1 && data.size() == 1) return data;
  return Fail(ErrorKind::kUsage,
              Text("the model has the inputs ", wanted, ", and the data have ", given),
              Text("give an .npz with an array named after each input; missing: ", missing));
}

}  // namespace pare::data
