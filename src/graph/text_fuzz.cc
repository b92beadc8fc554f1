// Any text parses to a consistent graph or to an error, and what is printed of a graph with small
// constants parses to the same again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "graph/text.h"
#include "graph/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pare::graph;
  const auto graph = Parse({reinterpret_cast<const char*>(data), size});
  if (!graph) return 0;
  if (!Verify(*graph)) std::abort();
  const TextOptions all{.max_values = 1 << 16};
  const std::string printed = Print(*graph, all);
  if (printed.find("hash(") != printed.npos) return 0;
  const auto again = Parse(printed);
  if (!again || Print(*again, all) != printed) std::abort();
  return 0;
}
