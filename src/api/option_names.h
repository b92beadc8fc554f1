// The rooms below speak of options by the names that the command line gives them. Here they get
// those of the public headers.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace pare {

// "a smaller --batch or --clip" → "a smaller batch or clip_norm". What stands in backquotes is a
// command of the program, and stays.
std::string InApiNames(std::string_view text);
Error InApiNames(const Error& error);

}  // namespace pare
