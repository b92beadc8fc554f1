// What else may go back to float where integers as a whole are slower than the float model. The
// slower layers alone may gain nothing: each border between float and integers costs conversions,
// and what stands between two integer layers is computed in integers.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "compress/quantize/timed_choices.h"

namespace pare::compress {

using WhyFloat = std::map<std::string, std::string>;  // layer → why

// `layers` with the integer layers without weights that read what they give, or give what they
// read, moves in between or not. `scheme` is the graph's.
WhyFloat WithNeighbours(const graph::Graph& graph, const Scheme& scheme, WhyFloat layers);

// Of the integer layers those that are slower than in float, times measured with everything fused
// that either model fuses: what has no time in float is computed within another layer there.
WhyFloat SlowerWhereFused(const Scheme& scheme, const LayerTimes& in_float,
                          const LayerTimes& in_int8, double ms);

// Appends sets of layers to give back, each of others than the `ways` that are there: the slower
// ones, these with their neighbours, then with theirs, at last all integer layers but those with
// weights that are clearly faster. Times as SlowerThanFloat takes them.
void AddWaysOut(const graph::Graph& graph, const Scheme& scheme, const WhyFloat& slow,
                const LayerTimes& in_float, const LayerTimes& in_int8, double ms,
                std::vector<WhyFloat>& ways);

// The first of these times (not empty) that is as short as the shortest, but for what measuring
// errs by.
size_t FirstOfFastest(std::span<const double> ms);

}  // namespace pare::compress
