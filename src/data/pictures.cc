// Pictures in folders, in a tar archive, or named by a list. The three differ in where the bytes of
// picture i come from (a Shelf) and share the rest.
#include <algorithm>
#include <charconv>
#include <span>

#include "data/dataset_parts.h"
#include "data/folders.h"
#include "data/image.h"
#include "data/lines.h"
#include "data/tar.h"

namespace pare::data {
namespace {

class Shelf {
 public:
  virtual ~Shelf() = default;
  virtual int64_t size() const = 0;
  virtual std::string Name(int64_t index) const = 0;
  virtual Result<Tensor> Decode(int64_t index) const = 0;
  virtual Result<int64_t> Bytes(int64_t index) const = 0;  // as they are stored
  virtual bool in_files() const = 0;  // each picture one of its own, by its name
};

class FileShelf : public Shelf {
 public:
  FileShelf(std::string root, std::vector<std::string> names)
      : root_(std::move(root)), names_(std::move(names)) {}

  int64_t size() const override { return static_cast<int64_t>(names_.size()); }
  std::string Name(int64_t index) const override {
    const std::string& name = names_[index];
    return name.starts_with('/') ? name : JoinPath(root_, name);
  }
  Result<int64_t> Bytes(int64_t index) const override {
    PARE_ASSIGN(const auto file, MappedFile::Open(Name(index)));
    return std::ssize(file->bytes());
  }
  bool in_files() const override { return true; }
  Result<Tensor> Decode(int64_t index) const override {
    const std::string path = Name(index);
    PARE_ASSIGN(const auto file, MappedFile::Open(path));
    auto picture = DecodeImage(file->bytes());
    if (!picture) return Fail(picture.error().at(path));
    return picture;
  }

 private:
  std::string root_;
  std::vector<std::string> names_;
};

class TarShelf : public Shelf {
 public:
  TarShelf(std::shared_ptr<const MappedFile> file, std::vector<TarEntry> entries)
      : file_(std::move(file)), entries_(std::move(entries)) {}

  int64_t size() const override { return static_cast<int64_t>(entries_.size()); }
  std::string Name(int64_t index) const override {
    return Text(file_->path(), ": ", entries_[index].name);
  }
  Result<int64_t> Bytes(int64_t index) const override {
    return static_cast<int64_t>(entries_[index].size);
  }
  bool in_files() const override { return false; }
  Result<Tensor> Decode(int64_t index) const override {
    const TarEntry& entry = entries_[index];
    auto picture = DecodeImage(file_->bytes().subspan(entry.offset, entry.size));
    file_->Used(entry.size);
    if (!picture) return Fail(picture.error().at(entry.name).at(file_->path()));
    return picture;
  }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::vector<TarEntry> entries_;
};

class PictureDataset : public Dataset {
 public:
  PictureDataset(std::unique_ptr<Shelf> shelf, FolderLabels labels, std::string note)
      : shelf_(std::move(shelf)), labels_(std::move(labels.labels)) {
    has_labels_ =
        std::any_of(labels_.begin(), labels_.end(), [](int64_t l) { return l != kNoLabel; });
    classes_ = std::move(labels.classes);
    classes_sorted_ = labels.classes_sorted;
    note_ = std::move(labels.note);
    if (!note.empty()) note_ += (note_.empty() ? "" : "; ") + note;
  }

  int64_t size() const override { return shelf_->size(); }
  int64_t label(int64_t index) const override { return labels_[index]; }
  bool has_labels() const override { return has_labels_; }
  std::string SampleName(int64_t index) const override { return shelf_->Name(index); }
  std::vector<std::string> files() const override {
    std::vector<std::string> files;
    for (int64_t i = 0; shelf_->in_files() && i < size(); ++i) files.push_back(shelf_->Name(i));
    return files;
  }
  Result<std::optional<int64_t>> CodedBytes(int64_t index) const override {
    PARE_ASSIGN(const int64_t bytes, shelf_->Bytes(index));
    return std::optional(bytes);
  }
  Result<Sample> Get(int64_t index) const override {
    PARE_ASSIGN(Tensor picture, shelf_->Decode(index));
    return Sample{{SampleInput{"", std::move(picture), true}}, labels_[index]};
  }

 private:
  std::unique_ptr<Shelf> shelf_;
  std::vector<int64_t> labels_;
  bool has_labels_ = false;
};

std::string LeftOut(int64_t others) {
  return others == 0 ? ""
                     : Text("left out, for they are no pictures: ", others,
                            others == 1 ? " file" : " files");
}

tl::unexpected<Error> NoPictures(const std::string& path) {
  return Fail(
      Error(ErrorKind::kInvalid, "holds no pictures",
            "pictures end in .jpg, .jpeg or .png; they lie in one folder a class, or all in "
            "one folder")
          .at(path));
}

// Names relative to `root`, folder by folder in alphabetical order.
Status Walk(const std::string& root, const std::string& below, int depth,
            std::vector<std::string>& names, int64_t& others) {
  PARE_ASSIGN(const auto entries, ListDirectory(JoinPath(root, below)));
  for (const DirectoryEntry& entry : entries) {
    if (entry.name.starts_with('.')) continue;
    const std::string name = JoinPath(below, entry.name);
    if (entry.is_directory) {
      if (depth == 0) {  // a link to a folder above it, most likely
        return Fail(
            Error(ErrorKind::kUnsupported, "folders are nested too deep").at(name).at(root));
      }
      PARE_TRY(Walk(root, name, depth - 1, names, others));
    } else if (HasImageExtension(entry.name)) {
      names.push_back(name);
    } else {
      ++others;
    }
  }
  return {};
}

struct ListLine {
  std::string_view path;
  bool labelled = false;
  int64_t label = kNoLabel;
};

// From −1 on, which stands for none.
bool ToLabel(std::string_view text, int64_t& label) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), label);
  return !text.empty() && error == std::errc() && end == text.data() + text.size() &&
         label >= kNoLabel;
}

// The last column is the label; a path may hold spaces, so that behind a space it is one only where
// it is a number, or the name of a picture ends before.
Result<ListLine> ParseListLine(std::string_view line) {
  const size_t tab = line.rfind('\t');
  const size_t split = tab != std::string_view::npos ? tab : line.rfind(' ');
  if (split == std::string_view::npos) return ListLine{line};
  const std::string_view path = line.substr(0, line.find_last_not_of(" \t", split) + 1);
  const std::string_view text = line.substr(split + 1);
  ListLine result{path, true};
  if (ToLabel(text, result.label)) return result;
  if (text.empty() || (tab == std::string_view::npos && !HasImageExtension(std::string(path))))
    return ListLine{line};
  return Invalid(
      Text("the label '", text, "' is no whole number from 0 on"),
      "each line is a path, then a tab or space, then the number of the class (-1: none)");
}

}  // namespace

Result<DatasetPtr> OpenPictureFolder(const std::string& path, const DatasetOptions& options) {
  std::vector<std::string> names;
  int64_t others = 0;
  PARE_TRY(Walk(path, "", 32, names, others));
  if (names.empty()) return NoPictures(path);
  PARE_ASSIGN(const auto classes, ReadClasses(options));
  auto labels = LabelsOfFolders(names, classes, options.class_count);
  if (!labels) return Fail(labels.error().at(path));
  return std::make_shared<PictureDataset>(std::make_unique<FileShelf>(path, std::move(names)),
                                          *std::move(labels), LeftOut(others));
}

Result<DatasetPtr> OpenPictureTar(const std::string& path, const DatasetOptions& options) {
  PARE_ASSIGN(const auto file, MappedFile::Open(path));
  auto entries = ListTar(file->bytes());
  if (!entries) return Fail(entries.error().at(path));
  std::vector<TarEntry> pictures;
  std::vector<std::string> names;
  for (TarEntry& entry : *entries) {
    if (!HasImageExtension(entry.name)) continue;
    std::string_view name = entry.name;
    while (name.starts_with("./")) name.remove_prefix(2);
    names.emplace_back(name);
    pictures.push_back(std::move(entry));
  }
  if (pictures.empty()) return NoPictures(path);
  const size_t common = CommonFolders(names);
  for (std::string& name : names) name.erase(0, common);
  const auto others = static_cast<int64_t>(entries->size() - pictures.size());
  PARE_ASSIGN(const auto classes, ReadClasses(options));
  auto labels = LabelsOfFolders(names, classes, options.class_count);
  if (!labels) return Fail(labels.error().at(path));
  return std::make_shared<PictureDataset>(std::make_unique<TarShelf>(file, std::move(pictures)),
                                          *std::move(labels), LeftOut(others));
}

Result<DatasetPtr> OpenPictureList(const std::string& path, const DatasetOptions& options) {
  PARE_ASSIGN(const std::string text, ReadFile(path));
  std::vector<std::string> names;
  FolderLabels labels;
  int64_t unlabelled_line = 0;
  bool some = false;  // have a label, or say that there is none
  for (Lines lines(text); const auto line = lines.Next();) {
    if (line->empty() || line->starts_with('#')) continue;
    const auto item = ParseListLine(*line);
    if (!item) return Fail(item.error().at(Text("line ", lines.number())).at(path));
    if (!item->labelled) unlabelled_line = lines.number();
    some = some || item->labelled;
    names.emplace_back(item->path);
    labels.labels.push_back(item->label);
  }
  if (names.empty()) return NoPictures(path);
  if (some && unlabelled_line > 0) {
    return Fail(Error(ErrorKind::kInvalid,
                      Text("line ", unlabelled_line, " has no label, but others have"),
                      "each line is a path, then a tab or space, then the number of the class")
                    .at(path));
  }
  PARE_ASSIGN(const auto classes, ReadClasses(options));
  for (const auto& line : classes) labels.classes.push_back(line.front());
  const size_t slash = path.rfind('/');
  const std::string root = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return std::make_shared<PictureDataset>(std::make_unique<FileShelf>(root, std::move(names)),
                                          std::move(labels), "");
}

}  // namespace pare::data
