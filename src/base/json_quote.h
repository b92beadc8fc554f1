// A string as JSON writes it.
#pragma once

#include <string>
#include <string_view>

namespace pare {

// Between quotes, with what JSON doesn't allow in strings escaped. Bytes that are no UTF-8 become
// the text \xNN, so that the result is JSON whatever `text` holds.
std::string JsonQuoted(std::string_view text);

}  // namespace pare
