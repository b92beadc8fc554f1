#include "compress/widen.h"

namespace pare::compress {

Result<graph::Graph> Widened(const graph::Graph& simplified, Progress& progress,
                             const passes::PassOptions& simplify) {
  graph::Graph wide = simplified;
  passes::PassLog log;
  PARE_TRY(passes::RunPasses(wide, passes::WidenPasses(), &log));
  if (passes::LogText(log).empty()) return wide;
  PARE_TRY(passes::Simplify(wide, nullptr, simplify));
  progress.Note(
      "the model's float type is not float32: what stays float will compute in float32, between "
      "Casts; inputs and outputs keep their types");
  return wide;
}

}  // namespace pare::compress
