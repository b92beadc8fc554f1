// How far apart two names are.
#pragma once

#include <cstddef>
#include <string_view>

namespace pare {

// Levenshtein's distance: the insertions, deletions and replacements of bytes that lead from one to
// the other.
size_t EditDistance(std::string_view a, std::string_view b);

}  // namespace pare
