// CIFAR's binaries: records of a label (CIFAR-100: a coarse and a fine one) and 3 × 32 × 32 bytes,
// plane after plane.
#include "base/cursor.h"
#include "data/dataset_parts.h"
#include "data/lines.h"

namespace pare::data {
namespace {

constexpr int64_t kSide = 32, kPixels = kSide * kSide;

struct Part {
  std::shared_ptr<const MappedFile> file;
  int64_t first;   // index of its first record
  int64_t labels;  // bytes of labels in a record

  int64_t record_bytes() const { return labels + 3 * kPixels; }
  int64_t count() const { return static_cast<int64_t>(file->bytes().size()) / record_bytes(); }
  const std::byte* record(int64_t index) const {
    return file->bytes().data() + (index - first) * record_bytes();
  }
};

class CifarDataset : public Dataset {
 public:
  CifarDataset(std::vector<Part> parts, std::vector<std::string> classes,
               std::vector<std::string> files)
      : parts_(std::move(parts)) {
    classes_ = std::move(classes);
    files_ = std::move(files);
  }

  int64_t size() const override { return parts_.back().first + parts_.back().count(); }
  bool has_labels() const override { return true; }
  int64_t label(int64_t index) const override {
    const Part& part = PartOf(index);
    return std::to_integer<int64_t>(part.record(index)[part.labels - 1]);
  }
  std::string SampleName(int64_t index) const override {
    const Part& part = PartOf(index);
    return Text(part.file->path(), "[", index - part.first, "]");
  }
  Result<Sample> Get(int64_t index) const override {
    const Part& part = PartOf(index);
    PARE_ASSIGN(Tensor picture, Tensor::Make(DType::kU8, {kSide, kSide, 3}));
    const std::byte* planes = part.record(index) + part.labels;
    std::byte* out = picture.mutable_data();
    for (int64_t i = 0; i < kPixels; ++i) {
      for (int64_t c = 0; c < 3; ++c) out[3 * i + c] = planes[c * kPixels + i];
    }
    part.file->Used(part.record_bytes());
    return Sample{{SampleInput{"", std::move(picture), true}}, label(index)};
  }

 private:
  const Part& PartOf(int64_t index) const {
    size_t i = parts_.size() - 1;
    while (parts_[i].first > index) --i;
    return parts_[i];
  }

  std::vector<Part> parts_;
};

Result<Part> OpenPart(const std::string& path, int64_t first) {
  PARE_ASSIGN(auto file, MappedFile::Open(path));
  const auto bytes = static_cast<int64_t>(file->bytes().size());
  for (const int64_t labels : {1, 2}) {
    const int64_t record = labels + 3 * kPixels;
    if (bytes > 0 && bytes % record == 0) return Part{std::move(file), first, labels};
  }
  return Fail(Error(ErrorKind::kInvalid,
                    Text("has ", bytes,
                         " bytes, which is no multiple of a CIFAR record (3073 or "
                         "3074 bytes)"),
                    "copy the file anew; other binaries are not known")
                  .at(path));
}

// "batches.meta.txt" of CIFAR-10, "fine_label_names.txt" of CIFAR-100, which `file` then names.
std::vector<std::string> ClassNames(const std::string& folder, std::vector<std::string>& file) {
  std::vector<std::string> classes;
  for (const char* name : {"batches.meta.txt", "fine_label_names.txt"}) {
    const std::string path = JoinPath(folder, name);
    const auto text = ReadFile(path);
    if (!text) continue;
    file = {path};
    for (Lines lines(*text); const auto line = lines.Next();) {
      if (!line->empty()) classes.emplace_back(*line);
    }
    break;
  }
  return classes;
}

std::vector<std::string> BinariesIn(const std::string& folder) {
  std::vector<std::string> paths;
  const auto entries = ListDirectory(folder);
  if (!entries) return paths;
  for (const DirectoryEntry& entry : *entries) {
    if (!entry.is_directory && entry.name.ends_with(".bin")) {
      paths.push_back(JoinPath(folder, entry.name));
    }
  }
  return paths;
}

}  // namespace

bool HoldsCifar(const std::string& folder) { return !BinariesIn(folder).empty(); }

Result<DatasetPtr> OpenCifar(const std::string& path, const DatasetOptions& options) {
  const bool folder = IsDirectory(path);
  const std::vector<std::string> paths = folder ? BinariesIn(path) : std::vector{path};
  std::vector<Part> parts;
  for (const std::string& part : paths) {
    const int64_t first = parts.empty() ? 0 : parts.back().first + parts.back().count();
    PARE_ASSIGN(parts.emplace_back(), OpenPart(part, first));
  }
  std::vector<std::string> classes, files;
  PARE_ASSIGN(const auto lines, ReadClasses(options));
  for (const auto& names : lines) classes.push_back(names.front());
  if (classes.empty()) {
    const size_t slash = path.rfind('/');
    classes = ClassNames(folder                       ? path
                         : slash == std::string::npos ? "."
                                                      : path.substr(0, slash),
                         files);
  }
  return std::make_shared<CifarDataset>(std::move(parts), std::move(classes), std::move(files));
}

}  // namespace pare::data
