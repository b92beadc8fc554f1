// Comparisons as tables and JSON: what `quantize` and `compare` have in common.
#pragma once

#include <string>
#include <vector>

#include "cli/json.h"
#include "compress/report.h"

namespace pare::cli {

enum class LayerTable : uint8_t {
  kNone,
  kNotable,  // those left in float with their reasons, and those with the least fidelity
  kAll,
};

struct ComparisonView {
  const compress::Comparison& comparison;
  std::string name_a, name_b;  // heads of the table's columns
  LayerTable layers = LayerTable::kNotable;
};

// Quality, size, time and speed-up side by side; then the layers.
std::string ComparisonText(const ComparisonView& view);

// Where int8 takes longer or more bytes than what it was made from, or is notably worse on engines
// without VNNI: a line for each, with what to do. Nothing where the second model has no integer
// layers.
std::vector<std::string> Warnings(const ComparisonView& view);
// What was told while the command ran, and Warnings.
Json NotesJson(const std::vector<std::string>& notes, const ComparisonView& view);

// quality, time_ms, bytes, and layers, as docs/json.md has them, are set in `object`.
void SetComparison(Json& object, const compress::Comparison& comparison);

// "82.40 % (79.9–84.6)", "–" for nothing.
std::string ShareText(std::optional<double> percent,
                      const std::optional<compress::Bounds>& bounds = {});
// The change of a percentage: "+0.40 points (−0.3 to +1.1)", "" where one of the two is nothing.
std::string Points(std::optional<double> before, std::optional<double> after,
                   const std::optional<compress::Bounds>& bounds = {});
// The members NAME_low and NAME_high; null for nothing.
void SetBounds(Json& object, std::string_view name, const std::optional<compress::Bounds>& bounds);

// The members r2SUFFIX, maeSUFFIX and rmseSUFFIX; null for nothing.
void SetValueErrors(Json& object, std::string_view suffix,
                    const std::optional<compress::ValueErrors>& errors);
Json SaturationJson(const std::optional<compress::Saturation>& saturation);  // null for nothing

Json IntervalJson(const compress::Interval& interval);  // {median, low, high}

// What quantization knows of the layers (reasons) and what the comparison measured, joined by name.
// Layers of either alone are kept.
std::vector<compress::LayerReport> JoinLayers(const std::vector<compress::LayerReport>& decided,
                                              const std::vector<compress::LayerReport>& measured);

}  // namespace pare::cli
