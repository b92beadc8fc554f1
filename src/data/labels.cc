#include <cmath>
#include <set>

#include "base/cursor.h"
#include "data/dataset_parts.h"
#include "data/idx.h"
#include "data/lines.h"
#include "data/npy.h"
#include "data/number.h"

namespace pare::data {
namespace {

Result<Tensor> LabelTensor(const std::shared_ptr<const MappedFile>& file) {
  if (IsIdx(file->bytes())) return ParseIdx(file->bytes(), file);
  return ParseNpy(file->bytes(), file);
}

constexpr const char* kWhole = "labels are one whole number a sample";

Result<std::vector<int64_t>> LabelsOfText(std::string_view text) {
  std::vector<int64_t> labels;
  for (Lines lines(text); const auto line = lines.Next();) {
    if (line->empty()) continue;
    const auto label = Number<int64_t>(*line);
    if (!label) return Invalid(Text("line ", lines.number(), " is no whole number"));
    labels.push_back(*label);
  }
  return labels;
}

Result<std::vector<int64_t>> LabelsOfTensor(const Tensor& tensor) {
  if (tensor.count() > 0 && tensor.rank() != 1 && tensor.count() != tensor.shape()[0]) {
    return Invalid(Text("labels have the shape ", DimsText(tensor.shape())), kWhole);
  }
  return WholeNumbers(tensor);
}

}  // namespace

Result<std::vector<int64_t>> WholeNumbers(const Tensor& tensor) {
  if (!IsFloat(tensor.dtype())) return ToInt64s(tensor);
  PARE_ASSIGN(const Tensor wide, Cast(tensor, DType::kF64));
  std::vector<int64_t> numbers;
  for (const double value : wide.as<double>()) {
    constexpr double kMost = 1e15;  // beyond, not all whole numbers are there
    if (!(std::abs(value) <= kMost) || value != std::trunc(value))
      return Invalid(Text("its number ", numbers.size(), " is ", value), kWhole);
    numbers.push_back(static_cast<int64_t>(value));
  }
  return numbers;
}

Result<std::vector<int64_t>> ReadLabels(const std::string& path) {
  const auto read = [&]() -> Result<std::vector<int64_t>> {
    if (path.ends_with(".txt")) {
      PARE_ASSIGN(const std::string text, ReadFile(path));
      return LabelsOfText(text);
    }
    PARE_ASSIGN(const auto file, MappedFile::Open(path));
    PARE_ASSIGN(const Tensor tensor, LabelTensor(file));
    return LabelsOfTensor(tensor);
  };
  auto labels = read();
  if (!labels && labels.error().message().find(path) == std::string::npos) {
    return Fail(labels.error().at(path));
  }
  return labels;
}

std::string MissingClasses(const std::vector<int64_t>& labels) {
  constexpr size_t kMost = 8;
  const std::set<int64_t> present(labels.begin(), labels.end());
  std::string missing;
  int64_t next = 0;
  size_t count = 0;
  for (auto at = present.lower_bound(0); at != present.end() && count < kMost; next = *at++ + 1) {
    for (; next < *at && count < kMost; ++next)
      missing += Text(count++ == 0 ? "none is " : ", ", next);
  }
  return count < kMost ? missing : missing + ", …";
}

std::map<std::string, int64_t, std::less<>> IndexOf(const ClassTable& classes) {
  std::map<std::string, int64_t, std::less<>> index;
  for (size_t i = 0; i < classes.size(); ++i) {
    for (const std::string& name : classes[i]) index.emplace(name, static_cast<int64_t>(i));
  }
  return index;
}

Result<ClassTable> ReadClasses(const DatasetOptions& options) {
  std::string text = options.classes_text;
  if (!options.classes_path.empty()) {
    PARE_ASSIGN(text, ReadFile(options.classes_path));
  } else if (text.empty()) {
    return ClassTable();
  }
  ClassTable classes;
  bool numbered = true;
  for (Lines lines(text); const auto line = lines.Next();) {
    if (line->empty()) continue;
    std::vector<std::string>& names = classes.emplace_back();
    for (std::string_view rest = *line;;) {
      const size_t tab = rest.find('\t');
      names.emplace_back(rest.substr(0, tab));
      if (tab == std::string_view::npos) break;
      rest.remove_prefix(tab + 1);
    }
    numbered = numbered && names.size() > 1 && names[0] == Text(classes.size() - 1);
  }
  if (classes.empty()) {
    return Fail(Error(ErrorKind::kInvalid, "names no classes")
                    .at(options.classes_path.empty() ? "the classes text" : options.classes_path));
  }
  for (auto& names : classes) {
    if (numbered) names.erase(names.begin());
  }
  return classes;
}

}  // namespace pare::data
