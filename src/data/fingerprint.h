// What tells data from other data, for records of runs.
#pragma once

#include <span>
#include <string>

#include "base/progress.h"
#include "data/dataset.h"

namespace pare::data {

// Of the dataset's size, its labels, and the content of some samples spread over it: 16
// hexadecimal digits.
Result<std::string> Fingerprint(const Dataset& dataset);

// The same, and of each of these samples: of pictures that would have to be decoded the size in
// bytes, of others the content. For runs that go on, and must have the data that they began with.
// `progress` advances by the samples.
Result<std::string> ContentHash(const Dataset& dataset, std::span<const int64_t> indices,
                                Progress& progress);

}  // namespace pare::data
