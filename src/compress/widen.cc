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

Status CastFloats(const graph::Graph& other, std::vector<Tensor>& inputs) {
  for (size_t i = 0; i < inputs.size() && i < other.inputs().size(); ++i) {
    const DType dtype = other.value(other.inputs()[i]).type.dtype;
    if (dtype == inputs[i].dtype() || !IsFloat(dtype) || !IsFloat(inputs[i].dtype())) continue;
    PARE_ASSIGN(inputs[i], Cast(inputs[i], dtype));
  }
  return {};
}

}  // namespace pare::compress
