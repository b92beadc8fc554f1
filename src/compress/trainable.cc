#include "compress/trainable.h"

#include <algorithm>

#include "compress/reasons.h"

namespace pare::compress {

Status CheckTrainable(const graph::Graph& graph, const train::ParameterOptions& parameters) {
  if (!IsQuantized(graph) || !parameters.only.empty()) return {};
  const auto found = train::FindParameters(graph, parameters);
  const bool any = found && std::ranges::any_of(*found, [&](graph::ValueId id) {
                     return graph.value(id).data.rank() > 1;
                   });
  if (any) return {};
  return Fail(ErrorKind::kUnsupported, "the model is quantized: its weights are integers",
              "start from the float model that it was made from, and quantize what comes out "
              "(`pare quantize --tune` trains what it quantizes)");
}

}  // namespace pare::compress
