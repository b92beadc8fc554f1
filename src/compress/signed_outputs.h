// One gradient that tells of all outputs and samples of a batch at once: of Σ ± y with random
// signs, whose square is on average the sum of squares (Hutchinson 1989).
#pragma once

#include <vector>

#include "base/random.h"
#include "ops/emit.h"

namespace pare::compress {

struct SignedOutputs {
  ops::Var sum;
  std::vector<Dims> signs;  // shapes of further inputs of the graph, one for each output
};

// Emits Σ signs · y over all outputs of the emitter's graph. Fails with kUnsupported where one is
// no float32. Names begin with `stem`.
Result<SignedOutputs> EmitSignedOutputs(ops::Emitter& emit, std::string_view stem);

// f32 ± `size` for the samples that count, zeros for those that fill the batch up.
Result<Tensor> RandomSigns(const Dims& shape, int64_t samples, float size, Random& random);

}  // namespace pare::compress
