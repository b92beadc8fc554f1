// Text from outside may be any bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pare {

// The length in bytes of the well-formed character that `text` begins with (Unicode, table 3-7),
// and its code; length 0 where there is none.
size_t DecodeUtf8(std::string_view text, uint32_t& code);

}  // namespace pare
