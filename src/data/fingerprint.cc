#include "data/fingerprint.h"

#include <algorithm>

#include "base/hash.h"

namespace pare::data {
namespace {

std::string Digits(uint64_t hash) {
  const std::string digits = HexText(hash);
  return std::string(16 - digits.size(), '0') + digits;
}

}  // namespace

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
  return Digits(hash.value());
}

Result<std::string> ContentHash(const Dataset& dataset, std::span<const int64_t> indices,
                                Progress& progress) {
  PARE_ASSIGN(const std::string some, Fingerprint(dataset));
  WordHash hash;
  hash.Add(std::as_bytes(std::span(some)));
  for (const int64_t i : indices) {
    PARE_TRY(progress.Check());
    progress.Advance(1);
    PARE_ASSIGN(const std::optional<int64_t> coded, dataset.CodedBytes(i));
    if (coded) {
      hash.Add(std::as_bytes(std::span(&*coded, 1)));
      continue;
    }
    PARE_ASSIGN(const Sample sample, dataset.Get(i));
    for (const SampleInput& input : sample.inputs) {
      hash.Add(std::as_bytes(std::span(input.tensor.shape())));
      hash.Add({input.tensor.data(), input.tensor.bytes()});
    }
  }
  return Digits(hash.value());
}

}  // namespace pare::data
