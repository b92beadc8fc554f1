#include "data/fingerprint.h"

#include <algorithm>

#include "base/hash.h"

namespace pare::data {

Result<std::string> Fingerprint(const Dataset& dataset) {
  constexpr int64_t kSamples = 32;
  Fnv1a hash;
  for (int64_t i = 0; i < dataset.size(); ++i) hash.Add(dataset.label(i));
  const int64_t count = std::min(kSamples, dataset.size());
  for (int64_t i = 0; i < count; ++i) {
    PARE_ASSIGN(const Sample sample, dataset.Get(dataset.size() * i / count));
    for (const SampleInput& input : sample.inputs)
      hash.Add({input.tensor.data(), input.tensor.bytes()});
  }
  const std::string digits = HexText(hash.value());
  return std::string(16 - digits.size(), '0') + digits;
}

}  // namespace pare::data
