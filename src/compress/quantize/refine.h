// Ranges by what they do at the outputs. A calibrator judges a tensor's rounding by itself; whether
// its largest values matter to the model, only the model tells.
#pragma once

#include <span>
#include <vector>

#include "base/function_ref.h"
#include "base/progress.h"
#include "compress/quantize/builder.h"
#include "compress/quantize/probe.h"

namespace pare::compress {

// The best of some variants; they are given together so that they can be tried side by side.
using BestOf = FunctionRef<Result<Probe::Best>(std::span<const Variant> variants)>;

// Coordinate descent over the groups with the coarsest steps for their power, the coarsest first:
// each takes the one of a few factors of its range that has the least error, if that falls by it;
// then the first of them once more, in finer steps. `built` is what `start` gave, `error` its
// error.
Result<Variant> RefineRanges(const Calibration& calibration, const Built& built, Variant start,
                             double error, BestOf best_of, Progress& progress);

}  // namespace pare::compress
