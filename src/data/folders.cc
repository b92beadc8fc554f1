#include "data/folders.h"

#include <algorithm>
#include <map>

#include "data/dataset_parts.h"
#include "data/number.h"

namespace pare::data {
namespace {

std::string_view FirstFolder(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

bool IsNumber(const std::string& name) {
  return name.size() < 10 &&
         std::all_of(
             name.begin(), name.end(), [](unsigned char c) { return c >= '0' && c <= '9'; });
}

// "10" stands before "2" in the order of bytes: worth a word.
bool NumbersOutOfOrder(const std::vector<std::string>& classes) {
  return std::all_of(classes.begin(), classes.end(), IsNumber) &&
         !std::is_sorted(classes.begin(), classes.end(),
                         [](const std::string& a, const std::string& b) {
                           return std::stoi(a) < std::stoi(b);
                         });
}

using Index = std::map<std::string, int64_t, std::less<>>;

Result<Index> IndexByFile(const Index& folders,
                          const std::vector<std::vector<std::string>>& classes) {
  Index by_name = IndexOf(classes);
  for (const auto& [folder, unused] : folders) {
    if (!by_name.contains(folder)) {
      return Fail(ErrorKind::kUsage, Text("the folder '", folder, "' is none of the classes"),
                  "each folder's name must stand in a line of --classes FILE, or of the classes "
                  "that the model was made with (`pare inspect --json`: pare.classes)");
    }
  }
  return by_name;
}

// Whether the names are numbers of some of the classes, but not of all.
bool AreClassNumbers(const Index& folders, int64_t class_count) {
  return std::ssize(folders) < class_count &&
         std::ranges::all_of(
             folders,
             [&](const auto& folder) {
               const auto number = Number<int64_t>(folder.first);
               return number && *number >= 0 && *number < class_count;
             });
}

}  // namespace

Result<FolderLabels> LabelsOfFolders(const std::vector<std::string>& names,
                                     const std::vector<std::vector<std::string>>& classes,
                                     int64_t class_count) {
  Index index;
  size_t loose = 0;
  for (const std::string& name : names) {
    const std::string_view folder = FirstFolder(name);
    if (folder.empty()) ++loose;
    if (!folder.empty()) index.emplace(folder, 0);
  }
  FolderLabels result;
  result.labels.assign(names.size(), kNoLabel);
  if (loose > 0 && !index.empty()) {
    result.note = Text(loose, " pictures lie beside the folders of the others: no labels are used");
  }
  if (loose > 0 || (index.size() < 2 && classes.empty())) return result;
  if (classes.empty() && AreClassNumbers(index, class_count)) {
    std::vector<int64_t> numbers;
    for (auto& [folder, label] : index) numbers.push_back(label = *Number<int64_t>(folder));
    const std::string missing = MissingClasses(numbers);
    result.note = Text("the class folders are numbers and were taken for the classes themselves",
                       missing.empty() ? "" : ": ", missing);
  } else if (classes.empty()) {
    for (auto& [folder, label] : index) {
      label = static_cast<int64_t>(result.classes.size());
      result.classes.push_back(folder);
    }
    result.classes_sorted = true;
    if (NumbersOutOfOrder(result.classes)) {
      result.note =
          "the class folders are numbers and were taken in alphabetical order ('10' before '2'); "
          "--classes FILE gives another order";
    }
  } else {
    PARE_ASSIGN(index, IndexByFile(index, classes));
    for (const auto& line : classes) result.classes.push_back(line.front());
  }
  for (size_t i = 0; i < names.size(); ++i) {
    result.labels[i] = index.find(FirstFolder(names[i]))->second;
  }
  return result;
}

size_t CommonFolders(const std::vector<std::string>& names) {
  if (names.empty()) return 0;
  size_t common = 0;
  while (true) {
    const size_t slash = names[0].find('/', common);
    if (slash == std::string::npos) return common;
    const std::string_view prefix = std::string_view(names[0]).substr(0, slash + 1);
    const bool shared = std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      return name.starts_with(prefix) && name.find('/', prefix.size()) != std::string::npos;
    });
    if (!shared) return common;
    common = slash + 1;
  }
}

}  // namespace pare::data
