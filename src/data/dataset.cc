#include "data/dataset.h"

#include <algorithm>
#include <cctype>

#include "data/dataset_parts.h"
#include "data/idx.h"
#include "data/image.h"

namespace pare::data {
namespace {

struct Kind {
  bool (*fits)(const std::string& path);
  Result<DatasetPtr> (*open)(const std::string& path, const DatasetOptions& options);
  enum class Labels : uint8_t { kWithin, kFile, kColumn } labels = Labels::kWithin;
};

bool EndsIn(const std::string& path, std::string_view extension) {
  if (path.size() < extension.size()) return false;
  return std::equal(
      extension.begin(), extension.end(), path.end() - extension.size(),
      [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

bool IsIdxFile(const std::string& path) {
  const auto file = MappedFile::Open(path);
  return file && IsIdx((*file)->bytes());
}

// The first that fits.
constexpr Kind kKinds[] = {
    {[](const std::string& p) { return IsDirectory(p) && HoldsCifar(p); }, OpenCifar},
    {[](const std::string& p) { return IsDirectory(p); }, OpenPictureFolder},
    {[](const std::string& p) { return EndsIn(p, ".tar"); }, OpenPictureTar},
    {[](const std::string& p) {
       return EndsIn(p, ".txt") || EndsIn(p, ".lst") || EndsIn(p, ".list");
     },
     OpenPictureList},
    {[](const std::string& p) { return EndsIn(p, ".npy"); }, OpenNpy, Kind::Labels::kFile},
    {[](const std::string& p) { return EndsIn(p, ".npz"); }, OpenNpz, Kind::Labels::kFile},
    {[](const std::string& p) { return EndsIn(p, ".csv") || EndsIn(p, ".tsv"); }, OpenCsv,
     Kind::Labels::kColumn},
    {[](const std::string& p) { return EndsIn(p, ".bin"); }, OpenCifar},
    {IsIdxFile, OpenIdx, Kind::Labels::kFile},
};

// What would be left out without a word.
Status CheckUsed(const Kind& kind, const DatasetOptions& options) {
  if (!options.labels_path.empty() && kind.labels != Kind::Labels::kFile) {
    return Fail(ErrorKind::kUsage, "data of this kind takes no file of labels",
                "--labels is for .npy, .npz and IDX; pictures have a folder a class or a list "
                "file, and a .csv has --label COLUMN");
  }
  if (!options.label_column.empty() && kind.labels != Kind::Labels::kColumn) {
    return Fail(ErrorKind::kUsage, "data of this kind has no columns", "--label is for .csv");
  }
  if (!options.target_columns.empty() && kind.labels != Kind::Labels::kColumn) {
    return Fail(ErrorKind::kUsage, "data of this kind has no columns",
                "--target-columns is for .csv; --targets FILE brings values of other data");
  }
  if (options.by_position && kind.labels != Kind::Labels::kColumn) {
    return Fail(ErrorKind::kUsage, "data of this kind has no columns with names",
                "--by-position is for .csv");
  }
  return {};
}

}  // namespace

bool IsTable(const std::string& path) {
  const auto* const kind =
      std::ranges::find_if(kKinds, [&](const Kind& k) { return k.fits(path); });
  return kind != std::end(kKinds) && kind->labels == Kind::Labels::kColumn;
}

Result<bool> HoldsPictures(const Dataset& dataset) {
  if (dataset.size() == 0) return false;
  PARE_ASSIGN(const Sample first, dataset.Get(0));
  return std::ranges::any_of(first.inputs, &SampleInput::picture);
}

Result<std::shared_ptr<const Dataset>> OpenDataset(const std::string& path,
                                                   const DatasetOptions& options) {
  if (!FileExists(path)) {
    return Fail(Error(ErrorKind::kNotFound, "there is no such file or folder",
                      "check the spelling of the path and the current directory")
                    .at(path));
  }
  for (const Kind& kind : kKinds) {
    if (!kind.fits(path)) continue;
    if (Status status = CheckUsed(kind, options); !status) return Fail(status.error().at(path));
    return kind.open(path, options);
  }
  const bool packed = EndsIn(path, ".gz") || EndsIn(path, ".tgz") || EndsIn(path, ".xz") ||
                      EndsIn(path, ".zip") || EndsIn(path, ".bz2");
  if (HasImageExtension(path)) {
    return Fail(Error(ErrorKind::kUnsupported, "is one picture, and data are many",
                      "put it in a folder, and give that")
                    .at(path));
  }
  return Fail(Error(ErrorKind::kUnsupported, "is no data that pare knows",
                    packed
                        ? "unpack it first"
                        : "data are a folder or .tar of pictures, a .txt list of them, .npy, .npz, "
                          "CIFAR .bin, IDX, .csv or .tsv")
                  .at(path));
}

}  // namespace pare::data
