// Engines without VNNI multiply u8 by s8 with vpmaddubsw, which adds two products in 16 bits and
// saturates: 255·127·2 does not fit. pare's own kernels don't, but the file shall be right
// elsewhere, too. This emulates such an engine on calibration data, layer by layer, each on what
// the exact layers before it give; model::Context::saturating runs whole networks so. Which
// products are paired, depthwise ones included, kernels/qsaturating/qsaturating.h says.
#pragma once

#include <map>
#include <span>
#include <string>

#include "base/progress.h"
#include "compress/quantize/calibrator.h"
#include "compress/quantize/scheme.h"
#include "compress/quantize/write_qdq.h"
#include "data/loader.h"
#include "model/model.h"

namespace pare::compress {

enum class OverflowSafe : uint8_t {
  kAuto,    // 7-bit weights for the layers that lose by saturation
  kAlways,  // 7-bit weights everywhere
  kNever,
};
Result<OverflowSafe> ParseOverflowSafe(std::string_view name);

// Layers whose result keeps less than this of signal to saturation noise lose by it: what rounding
// to eight bits costs is of the same size.
inline constexpr double kSaturationSnrDb = 40;

// 10·log10(Σ exact² / Σ (exact − saturated)²) of the accumulators of each weighted convolution and
// product, over a sample of positions of the loaders' samples; 200 where nothing saturates.
// `quantized` is the graph after WriteQdq.
Result<std::map<graph::NodeId, double>> SaturationSnr(const graph::Graph& quantized,
                                                      const Scheme& scheme,
                                                      std::span<data::Loader> loaders,
                                                      const model::Context& context,
                                                      Progress& progress);

}  // namespace pare::compress
