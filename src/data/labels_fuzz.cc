// The texts and arrays that say which class a sample is of. The first byte tells which kind the
// rest is.
#include "data/dataset_parts.h"
#include "data/folders.h"
#include "data/fuzz_folder.h"
#include "data/lines.h"

namespace {

using namespace pare::data;

void List(const std::string& path) {
  const auto dataset = OpenPictureList(path, {});
  if (!dataset) return;
  if ((*dataset)->size() == 0) __builtin_trap();
  for (int64_t i = 0; i < (*dataset)->size(); ++i) {
    if ((*dataset)->label(i) < kNoLabel || (*dataset)->SampleName(i).empty()) __builtin_trap();
  }
}

void Labels(const std::string& path) {
  const auto labels = ReadLabels(path);
  if (labels) MissingClasses(*labels);
}

// Classes, an empty line, and the paths of pictures.
void Classes(std::string_view text) {
  const size_t end = std::min(text.find("\n\n"), text.size());
  DatasetOptions options;
  options.classes_text = text.substr(0, end);
  const auto classes = ReadClasses(options);
  if (!classes) return;
  for (const auto& names : *classes) {
    if (names.empty()) __builtin_trap();
  }
  IndexOf(*classes);
  std::vector<std::string> pictures;
  for (Lines lines(text.substr(end)); const auto line = lines.Next();) {
    if (!line->empty()) pictures.emplace_back(*line);
  }
  const size_t common = CommonFolders(pictures);
  for (std::string& name : pictures) {
    if (common > name.size()) __builtin_trap();
    name.erase(0, common);
  }
  const auto labels = LabelsOfFolders(pictures, *classes, 4);
  if (labels && labels->labels.size() != pictures.size()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const FuzzFolder folder;
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0]) {
    case 'l':
      List(folder.Write("list.txt", rest));
      break;
    case 't':
      Labels(folder.Write("labels.txt", rest));
      break;
    case 'a':
      Labels(folder.Write("labels.idx", rest));
      break;
    case 'c':
      Classes(rest);
      break;
  }
  return 0;
}
