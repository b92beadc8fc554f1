// What times measured on this machine say about layers: which are slower in integers than in
// float, and which are faster with weights of 7 bits.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "compress/quantize/scheme.h"
#include "compress/report.h"

namespace pare::compress {

using LayerTimes = std::map<std::string, double>;  // milliseconds by layer's name

// Decided once for a model: measured anew it could be something else.
struct TimedChoices {
  std::map<std::string, std::string> to_float, to_seven_bits;  // layer → why

  bool empty() const { return to_float.empty() && to_seven_bits.empty(); }
  // Bytes of any kind; nothing for no choice.
  std::string Text() const;
  // Fails (kInvalid) for what Text did not make.
  static Result<TimedChoices> Parse(std::string_view text);
};

// Of the integer layers those that take clearly longer than in float, and whose time counts. `ms`:
// a run of the integer model.
std::map<std::string, std::string> SlowerThanFloat(const Scheme& scheme, const LayerTimes& in_float,
                                                   const LayerTimes& in_int8, double ms);

// All integer layers but those that are clearly faster than in float, with why they may as well be
// float.
std::map<std::string, std::string> NotFasterThanFloat(const Scheme& scheme,
                                                      const LayerTimes& in_float,
                                                      const LayerTimes& in_int8, double ms);

struct FasterLayer {
  std::string name, why;
  double gained = 0;  // ms
};
// Of these layers those that take clearly less time with 7 bits, the largest gain first.
std::vector<FasterLayer> FasterInSevenBits(const std::vector<std::string>& layers,
                                           const LayerTimes& eight, const LayerTimes& seven,
                                           double ms);

// A report's layers as a file keeps them: without the times in the reasons of these choices, which
// differ from run to run.
std::vector<LayerReport> WithoutTimes(std::vector<LayerReport> layers, const TimedChoices& choices);

}  // namespace pare::compress
