// Patterns over names: '*' stands for any text, '?' for one character.
#pragma once

#include <string_view>

namespace pare {

bool MatchesGlob(std::string_view pattern, std::string_view text);

}  // namespace pare
