// Ranges by what they do to the model's outputs, to first order. With g the gradient of an output
// by a tensor, rounding the tensor by δ moves the output by g·δ. Steps of s do so by
// s²/12 · Σ g², as errors that have nothing to do with each other; what lies beyond the range is
// cut, all on one side, and counts as the sum it is, (Σ g·δ)². A tensor's largest values often
// matter little to the outputs, and then a range that cuts them is the better one.
//
// One gradient tells of all outputs (signed_outputs.h). That squared gradients weigh rounding
// errors is LeCun, Denker & Solla, "Optimal Brain Damage", 1989, and Li et al., "BRECQ", 2021,
// §3.2.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/statistics.h"
#include "data/loader.h"
#include "model/model.h"

namespace pare::compress {

// What ranges of one tensor cost the outputs, summed over samples.
class RangeCosts {
 public:
  // `seen`: the extremes over all samples, of which ranges are parts.
  explicit RangeCosts(Range seen) : seen_(seen) {}

  // A batch: some of the tensor's values, each of which stands for `each` of them, and the gradient
  // by each.
  void Add(std::span<const float> x, std::span<const float> g, int64_t each);
  // Of a range with `low` and `high` of kParts of what was seen on that side, against others'.
  double Of(int low, int high) const;
  // With the least cost; what was seen, where nothing was added.
  Range Best() const;

  static constexpr int kParts = 48;

 private:
  Range seen_;
  double squares_ = 0;  // Σ g², but for zeros, which are exact in any range
  struct Batch {
    double each;
    std::vector<double> low, high;  // Σ g·δ of what lies beyond, by parts
  };
  std::vector<Batch> batches_;
};

// Of the values of a float graph, by name; `statistics` holds them, and `powers` the mean square of
// each output, against which its changes count. Fails with kUnsupported where the graph has no
// gradient (an operator without one, outputs that are no floats), where that would take too much
// memory, and where fewer than 24 samples come in batches of one shape. `progress` advances by the
// samples.
Result<std::map<std::string, Range>> RangesByOutputs(
    const graph::Graph& graph, const std::vector<graph::ValueId>& values,
    const Statistics& statistics, std::span<const double> powers, data::Loader& samples,
    const model::Context& context, Progress& progress);

}  // namespace pare::compress
