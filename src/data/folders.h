// Classes from the folders that pictures lie in.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace pare::data {

struct FolderLabels {
  std::vector<std::string> classes;  // empty: they have no names
  std::vector<int64_t> labels;       // one a picture
  std::string note;
  bool classes_sorted = false;  // the classes are the folders' names in the order of their bytes
};

// `names` are paths below a common root, with '/'. The first folder of each is its class, in the
// order of the names' bytes or, where `classes` (of ReadClasses) is not empty, as it says; but
// where the names are numbers of some of `class_count` classes, and not of all, these are the
// labels. Pictures in one folder, or some without a folder, have no labels.
Result<FolderLabels> LabelsOfFolders(const std::vector<std::string>& names,
                                     const std::vector<std::vector<std::string>>& classes,
                                     int64_t class_count);

// How many bytes of each name are folders that all share ("data/train/"), as archives have them; at
// least one folder is left to each name that has several.
size_t CommonFolders(const std::vector<std::string>& names);

}  // namespace pare::data
