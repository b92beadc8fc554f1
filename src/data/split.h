// Which samples calibrate and which verify.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace pare::data {

struct SplitOptions {
  int64_t calibration = 300;
  int64_t verification = 1000;
  uint64_t seed = 0;
  int64_t limit = 0;  // of the samples, so many are looked at, drawn by DrawSamples; 0 = all
};

struct Split {
  std::vector<int64_t> calibration;  // ascending
  std::vector<int64_t>
      verification;  // ascending; disjoint from calibration unless there is one sample
  std::string note;  // what too few samples led to; may be empty
};

// Draws the calibration samples evenly over the data (over the classes, where there are labels)
// and, of the rest, up to options.verification the same way. Where samples are too few for both,
// the verification keeps half of them, or 100. The same seed draws the same samples everywhere.
Result<Split> SplitDataset(const Dataset& dataset, const SplitOptions& options);

// `count` of the dataset's samples (all, where it has no more), drawn as above; for --limit.
std::vector<int64_t> DrawSamples(const Dataset& dataset, int64_t count, uint64_t seed);

}  // namespace pare::data
