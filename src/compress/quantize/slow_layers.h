// Which layers integers make slower, by times that were measured.
#pragma once

#include <map>
#include <string>

#include "compress/quantize/scheme.h"

namespace pare::compress {

// Layer → why it shall be float, of the integer layers that take clearly longer than in float and
// whose time counts. `before`, `after`: milliseconds by layer of the float and the integer model;
// `ms`: a run of the latter.
std::map<std::string, std::string> SlowerThanFloat(const Scheme& scheme,
                                                   const std::map<std::string, double>& before,
                                                   const std::map<std::string, double>& after,
                                                   double ms);

}  // namespace pare::compress
