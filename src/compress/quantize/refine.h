// Ranges by what they do at the outputs. A calibrator judges a tensor's rounding by itself; whether
// its largest values matter to the model, only the model tells.
#pragma once

#include "base/function_ref.h"
#include "base/progress.h"
#include "compress/quantize/builder.h"

namespace pare::compress {

// Coordinate descent over the groups with the coarsest steps for their power, the coarsest first: a
// range is narrowed, or else widened, as long as `error_of` falls by it. `built` is what `start`
// gave, `error` its error; it becomes that of the result.
Result<Variant> RefineRanges(const Calibration& calibration, const Built& built, Variant start,
                             FunctionRef<Result<double>(const Variant&)> error_of, double& error,
                             Progress& progress);

}  // namespace pare::compress
