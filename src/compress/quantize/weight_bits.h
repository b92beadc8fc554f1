// How many bits the weights of integer layers have.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/status.h"

namespace pare::compress {

enum class WeightBits : uint8_t {
  k8,
  k7,
  k4,
  kAuto,  // layer by layer: 4 where that is not measurable at the outputs, else 8
};
Result<WeightBits> ParseWeightBits(std::string_view name);  // "8", "7", "4", "auto"
// What all layers begin with.
int FirstBits(WeightBits bits);

}  // namespace pare::compress
