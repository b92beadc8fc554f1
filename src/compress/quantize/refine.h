// Ranges by what they do at the outputs. A calibrator judges a tensor's rounding by itself; whether
// its largest values matter to the model, only the model tells.
#pragma once

#include <span>
#include <vector>

#include "base/function_ref.h"
#include "base/progress.h"
#include "compress/quantize/builder.h"

namespace pare::compress {

// The error of each variant; they are given together so that they can be tried side by side.
using ErrorsOf = FunctionRef<Result<std::vector<double>>(std::span<const Variant> variants)>;

// Coordinate descent over the groups with the coarsest steps for their power, the coarsest first: a
// range is widened or, again and again, narrowed, as long as the error falls by it. `built` is what
// `start` gave.
Result<Variant> RefineRanges(const Calibration& calibration, const Built& built, Variant start,
                             ErrorsOf errors_of, Progress& progress);

}  // namespace pare::compress
