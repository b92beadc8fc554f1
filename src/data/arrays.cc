// Samples along the first axis of one or several arrays.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "data/dataset_parts.h"
#include "data/idx.h"
#include "data/npy.h"

namespace pare::data {
namespace {

bool IsChannels(int64_t size) { return size == 1 || size == 3; }

// Bytes of a shape that pictures have: [h, w], [h, w, c] or [c, h, w].
bool LooksLikePicture(DType dtype, const Dims& shape) {
  if (dtype != DType::kU8 || (shape.size() != 2 && shape.size() != 3)) return false;
  if (std::count(shape.begin(), shape.end(), 0)) return false;
  return shape.size() == 2 || IsChannels(shape[0]) || IsChannels(shape[2]);
}

struct Labels {
  std::vector<int64_t> values;
  std::string file;    // that was found beside the data; "": none
  std::string source;  // the file that holds them alone; "": none does
  std::string why_none = {};
};

// The first element that is NaN or infinite; nothing in other types than floats.
Result<std::optional<std::pair<int64_t, double>>> FirstNotFinite(const Tensor& row) {
  using Found = std::optional<std::pair<int64_t, double>>;
  if (!IsFloat(row.dtype())) return Found();
  PARE_ASSIGN(const Tensor numbers, row.dtype() == DType::kF32 || row.dtype() == DType::kF64
                                        ? Result<Tensor>(row)
                                        : Cast(row, DType::kF32));
  const auto find = [](const auto& values) -> Found {
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) return std::pair(static_cast<int64_t>(i), double(values[i]));
    }
    return std::nullopt;
  };
  return numbers.dtype() == DType::kF64 ? find(numbers.as<double>()) : find(numbers.as<float>());
}

class ArrayDataset : public Dataset {
 public:
  // `file`: what the arrays are mapped from, or null.
  ArrayDataset(std::vector<SampleInput> arrays, Labels labels, std::string name,
               std::shared_ptr<const MappedFile> file)
      : arrays_(std::move(arrays)),
        labels_(std::move(labels.values)),
        name_(std::move(name)),
        file_(std::move(file)) {
    if (!labels.file.empty()) files_ = {std::move(labels.file)};
    if (labels_.empty()) why_unlabelled_ = std::move(labels.why_none);
  }

  int64_t size() const override { return arrays_[0].tensor.shape()[0]; }
  bool has_labels() const override { return !labels_.empty(); }
  int64_t label(int64_t index) const override {
    return labels_.empty() ? kNoLabel : labels_[index];
  }
  std::string SampleName(int64_t index) const override { return Text(name_, "[", index, "]"); }

  Result<Sample> Get(int64_t index) const override {
    Sample sample;
    sample.label = label(index);
    for (const SampleInput& array : arrays_) {
      PARE_ASSIGN(Tensor row, Row(array.tensor, index));
      PARE_TRY(CheckFinite(row, array.name, index));
      const bool picture = array.picture || LooksLikePicture(row.dtype(), row.shape());
      if (picture) {
        PARE_ASSIGN(row, AsPicture(row));
      }
      sample.inputs.push_back({array.name, std::move(row), picture});
    }
    return sample;
  }

 private:
  Status CheckFinite(const Tensor& row, const std::string& array, int64_t index) const {
    PARE_ASSIGN(const auto found, FirstNotFinite(row));
    if (!found) return {};
    const Error error(ErrorKind::kInvalid,
                      Text("element ", found->first, " is ", found->second, ", no finite number"),
                      "replace such values, or remove the samples that hold them");
    return Fail(
        (array.empty() ? error : error.at(Text("the array ", array))).at(SampleName(index)));
  }

  // A copy, so that the pages of the mapping can go.
  Result<Tensor> Row(const Tensor& array, int64_t index) const {
    PARE_ASSIGN(Tensor row,
                Tensor::Make(array.dtype(), Dims(array.shape().begin() + 1, array.shape().end())));
    if (row.bytes() > 0) {
      std::memcpy(row.mutable_data(), array.data() + index * row.bytes(), row.bytes());
    }
    if (file_) file_->Used(row.bytes());
    return row;
  }

  // To [h, w, c].
  static Result<Tensor> AsPicture(const Tensor& row) {
    const Dims& shape = row.shape();
    if (shape.size() == 2) return row.Reshaped({shape[0], shape[1], 1});
    if (IsChannels(shape[2])) return row;
    PARE_ASSIGN(Tensor picture, Tensor::Make(DType::kU8, {shape[1], shape[2], shape[0]}));
    const int64_t pixels = shape[1] * shape[2];
    const uint8_t* in = row.as<uint8_t>().data();
    uint8_t* out = picture.mutable_as<uint8_t>().data();
    for (int64_t c = 0; c < shape[0]; ++c) {
      for (int64_t i = 0; i < pixels; ++i) out[i * shape[0] + c] = in[c * pixels + i];
    }
    return picture;
  }

  std::vector<SampleInput> arrays_;
  std::vector<int64_t> labels_;
  std::string name_;
  std::shared_ptr<const MappedFile> file_;
};

Result<DatasetPtr> Make(std::vector<SampleInput> arrays, Labels labels, std::string name,
                        std::shared_ptr<const MappedFile> file) {
  if (arrays.empty()) return Fail(Error(ErrorKind::kInvalid, "holds no arrays").at(name));
  for (const SampleInput& array : arrays) {
    const Tensor& tensor = array.tensor;
    if (!tensor || tensor.rank() == 0) {
      return Fail(Error(ErrorKind::kInvalid, Text("the array ", array.name, " is a single number"),
                        "the first axis of an array counts the samples")
                      .at(name));
    }
    if (tensor.shape()[0] != arrays[0].tensor.shape()[0]) {
      return Fail(Error(ErrorKind::kInvalid,
                        Text("the array ", array.name, " has ", tensor.shape()[0], " samples and ",
                             arrays[0].name, " has ", arrays[0].tensor.shape()[0]),
                        "the first axis of each array counts the samples")
                      .at(name));
    }
  }
  const int64_t size = arrays[0].tensor.shape()[0];
  if (size == 0) return Fail(Error(ErrorKind::kInvalid, "holds no samples").at(name));
  if (!labels.values.empty() && std::ssize(labels.values) != size) {
    return Fail(Error(ErrorKind::kInvalid,
                      Text("there are ", size, " samples and ", labels.values.size(), " labels",
                           labels.source.empty() ? "" : " in ", labels.source),
                      "give a label for each sample, in their order; -1 is none")
                    .at(name));
  }
  return std::make_shared<ArrayDataset>(std::move(arrays), std::move(labels), std::move(name),
                                        std::move(file));
}

// The labels of `path`: where the options say, or in `beside` if that exists.
Result<Labels> LabelsFor(const DatasetOptions& options, const std::string& beside) {
  Labels labels;
  if (!options.labels_path.empty()) {
    labels.source = options.labels_path;
  } else if (!beside.empty() && FileExists(beside)) {
    labels.source = labels.file = beside;
  }
  if (!labels.source.empty()) {
    PARE_ASSIGN(labels.values, ReadLabels(labels.source));
  }
  return labels;
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.rfind(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// "t10k-images-idx3-ubyte" → "t10k-labels-idx1-ubyte"; "" where the name is not of that kind.
std::string IdxLabelsBeside(const std::string& path) {
  const std::string labels = Replaced(Replaced(path, "images", "labels"), "idx3", "idx1");
  return labels == path ? "" : labels;
}

// Whether each row of [samples, classes] is one 1 among zeros.
bool IsOneHot(const Tensor& tensor) {
  const auto numbers = Cast(tensor, DType::kF32);
  if (!numbers || tensor.count() == 0) return false;
  const auto values = numbers->as<float>();
  const auto classes = static_cast<size_t>(tensor.shape()[1]);
  for (size_t row = 0; row < values.size(); row += classes) {
    const auto one = values.subspan(row, classes);
    if (std::ranges::count(one, 1.0f) != 1) return false;
    if (std::ranges::count(one, 0.0f) + 1 != std::ssize(one)) return false;
  }
  return true;
}

bool IsOneEach(const Tensor& tensor) {
  return tensor.rank() == 1 || (tensor.rank() == 2 && tensor.shape()[1] == 1);
}

// What keeps an array from being labels that has their name.
std::string WhyNoLabels(const std::string& name, const Tensor& tensor) {
  const std::string array = Text("the array ", name);
  constexpr const char* kAre = "labels are one whole number a sample";
  if (IsOneEach(tensor)) {
    const auto numbers = WholeNumbers(tensor);
    return Text(array, " holds none, for ", numbers ? "it is empty" : numbers.error().reason(),
                " (", kAre, ')');
  }
  if (tensor.rank() == 2 && IsOneHot(tensor)) {
    return Text(array, " is one-hot ", DimsText(tensor.shape()), ", and ", kAre,
                ", as numpy.argmax(", name, ", axis=1) gives them");
  }
  return Text(array, " has the shape ", DimsText(tensor.shape()), ", and ", kAre);
}

std::string NamesOf(const std::vector<SampleInput>& arrays) {
  std::string names;
  for (const SampleInput& array : arrays) names += Text(names.empty() ? "" : ", ", array.name);
  return names;
}

}  // namespace

bool IsLabelName(std::string_view name) {
  return name == "label" || name == "labels" || name == "y";
}

Result<DatasetPtr> OpenNpy(const std::string& path, const DatasetOptions& options) {
  PARE_ASSIGN(const auto file, MappedFile::Open(path));
  auto array = ParseNpy(file->bytes(), file);
  if (!array) return Fail(array.error().at(path));
  const std::string stem = path.substr(0, path.rfind('.'));
  PARE_ASSIGN(auto labels, LabelsFor(options, stem + "_labels.npy"));
  return Make({{"", *std::move(array)}}, std::move(labels), path, file);
}

// An array of labels stays an input as well: a model may take one of that name.
Result<DatasetPtr> OpenNpz(const std::string& path, const DatasetOptions& options) {
  PARE_ASSIGN(const auto file, MappedFile::Open(path));
  auto tensors = ParseNpz(file->bytes(), file);
  if (!tensors) return Fail(tensors.error().at(path));
  PARE_ASSIGN(auto labels, LabelsFor(options, ""));
  std::vector<SampleInput> arrays;
  for (auto& [name, tensor] : *tensors) {
    auto numbers = IsLabelName(name) && labels.values.empty() && IsOneEach(tensor)
                       ? WholeNumbers(tensor)
                       : Result<std::vector<int64_t>>(std::vector<int64_t>());
    if (numbers && !numbers->empty()) {
      labels.values = *std::move(numbers);
      if (tensors->size() > 1) arrays.push_back({name, std::move(tensor)});
    } else {
      if (IsLabelName(name)) labels.why_none = ": " + WhyNoLabels(name, tensor);
      arrays.push_back({name, std::move(tensor)});
    }
  }
  if (labels.why_none.empty()) {
    labels.why_none =
        Text(": of its arrays (", NamesOf(arrays), ") none is named label, labels or y");
  }
  return Make(std::move(arrays), std::move(labels), path, file);
}

Result<DatasetPtr> OpenIdx(const std::string& path, const DatasetOptions& options) {
  PARE_ASSIGN(const auto file, MappedFile::Open(path));
  auto array = ParseIdx(file->bytes(), file);
  if (!array) return Fail(array.error().at(path));
  PARE_ASSIGN(auto labels, LabelsFor(options, IdxLabelsBeside(path)));
  return Make({{"", *std::move(array)}}, std::move(labels), path, file);
}

Result<DatasetPtr> DatasetOf(std::vector<SampleInput> inputs, std::vector<int64_t> labels,
                             std::string name) {
  return Make(std::move(inputs), {std::move(labels), "", "", ""}, std::move(name), nullptr);
}

}  // namespace pare::data
