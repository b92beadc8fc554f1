// Which pare this is.
#pragma once

#include <string_view>

namespace pare::cli {

struct Version {
  std::string_view number;  // of CMakeLists.txt
  std::string_view commit;  // that last changed the sources, "-changed" behind it; "" if not known
  std::string_view compiler;  // "g++ 12.2.0"
  std::string_view architecture;
};
extern const Version kVersion;

}  // namespace pare::cli
