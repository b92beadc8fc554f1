// Dense outputs: which axis their classes stand along.
#pragma once

#include <optional>

#include "base/status.h"
#include "base/tensor.h"

namespace pare::compress {

// The axis along which an output's classes stand, in the shape of its logits. Each position along
// the others (of a picture, a sequence) is classified for itself. `own` and `teachers` are the axes
// of what makes probabilities of them, where something does.
Result<int> ClassAxis(const Dims& shape, std::optional<int> own, std::optional<int> teachers);

}  // namespace pare::compress
