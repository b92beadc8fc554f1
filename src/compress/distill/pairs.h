// Which layers of a student learn from which of its teacher's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compress/distill/trunk.h"

namespace pare::compress {

// A layer of the student and one of the teacher, by the names of their values.
struct LayerPair {
  std::string student, teacher;
  friend bool operator==(const LayerPair&, const LayerPair&) = default;
};

enum class Pairing : uint8_t {
  kAuto,      // by name where that finds layers, else by shape, else by position
  kName,      // the last layer of each resolution that both have under one name
  kShape,     // the last layer of each resolution that both have
  kPosition,  // those nearest to a quarter, a half and three quarters of each model's depth
};
Result<Pairing> ParsePairing(std::string_view name);

// Pairs of layers on the models' trunks that can be compared: of the same extents, with any
// channels. Fails (kUsage) where there are none.
Result<std::vector<LayerPair>> PairLayers(const std::vector<TrunkLayer>& student,
                                          const std::vector<TrunkLayer>& teacher, Pairing pairing);

// "a" where both have one name, else "a=b".
std::string PairText(const LayerPair& pair);

}  // namespace pare::compress
