#include "compress/signed_outputs.h"

#include <algorithm>

namespace pare::compress {

Result<SignedOutputs> EmitSignedOutputs(ops::Emitter& emit, std::string_view stem) {
  graph::Graph& graph = emit.graph();
  SignedOutputs emitted;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const ops::Var y = emit.Of(graph.outputs()[i].value);
    if (y.type().dtype != DType::kF32)
      return Fail(ErrorKind::kUnsupported, "an output is no float32");
    emitted.signs.push_back(y.dims());
    const ops::Var signs = emit.Of(graph.AddInput(graph.FreshName(Text(stem, ".signs")), y.type()));
    const ops::Var sum = ops::ReduceSum(signs * y, {}, ops::KeepDims::kNo);
    emitted.sum = emitted.sum ? emitted.sum + sum : sum;
  }
  PARE_TRY(emit.status());
  return emitted;
}

Result<Tensor> RandomSigns(const Dims& shape, int64_t samples, float size, Random& random) {
  PARE_ASSIGN(Tensor signs, Tensor::Zeros(DType::kF32, shape));
  const auto values = signs.mutable_as<float>();
  const int64_t rows = shape.empty() ? 1 : std::max<int64_t>(1, shape[0]);
  const int64_t counted = std::ssize(values) / rows * std::min(samples, rows);
  for (int64_t i = 0; i < counted; ++i) values[i] = random.Below(2) == 0 ? -size : size;
  return signs;
}

}  // namespace pare::compress
