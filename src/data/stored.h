// What a model's file tells of the data that it was made with, as metadata.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace pare::data {

// A name a line.
inline constexpr const char* kClassesKey = "pare.classes";  // as a classes file has them
inline constexpr const char* kColumnsKey = "pare.columns";  // of a table, in the input's order
inline constexpr const char* kTargetsKey = "pare.targets";  // those that hold what is answered
// A name or number.
inline constexpr const char* kLabelKey = "pare.label";  // the column with the label

std::vector<std::string> LinesOf(std::string_view text);

// Fills in what the options leave open. Targets are taken where no label is asked for.
void UseStored(const std::map<std::string, std::string>& metadata, DatasetOptions& options);

// Gives `to` what only `from`, another model for the same data, knows of it: the columns, and what
// they are learned by (classes, label, targets), which belong together.
void InheritStored(const std::map<std::string, std::string>& from,
                   std::map<std::string, std::string>& to);

}  // namespace pare::data
