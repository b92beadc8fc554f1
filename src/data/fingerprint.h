// What tells data from other data, for records of runs.
#pragma once

#include <string>

#include "data/dataset.h"

namespace pare::data {

// Of the dataset's size, its labels, and the content of some samples spread over it: 16
// hexadecimal digits.
Result<std::string> Fingerprint(const Dataset& dataset);

// The same of all samples: of pictures that would have to be decoded the size in bytes of each, and
// the content of some. For runs that go on, and must have the data that they began with.
Result<std::string> ContentHash(const Dataset& dataset);

}  // namespace pare::data
