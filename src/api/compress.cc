#include "pare/compress.h"

#include "api/access.h"
#include "api/notes.h"
#include "compress/compare.h"
#include "compress/quantize/quantize.h"
#include "onnx/export.h"

namespace pare {
namespace {

Result<compress::QuantizeOptions> ToInternal(const QuantizeOptions& options) {
  compress::QuantizeOptions internal;
  PARE_ASSIGN(internal.calibrator, compress::ParseCalibrator(options.calibrator));
  PARE_ASSIGN(internal.overflow_safe, compress::ParseOverflowSafe(options.overflow_safe));
  PARE_ASSIGN(internal.weight_bits, compress::ParseWeightBits(options.weight_bits));
  if (options.tune_steps > 0) internal.tune.emplace().train.steps = options.tune_steps;
  internal.keep_float = options.keep_float;
  internal.max_drop = options.max_drop;
  internal.keep_slow_layers = options.any_target;
  internal.split.calibration = options.calibration;
  internal.split.verification = options.verification;
  internal.split.seed = options.seed;
  return internal;
}

std::optional<double> R2Of(const std::optional<compress::ValueErrors>& values) {
  return values ? values->r2 : std::nullopt;
}

Result<QuantizeResult> QuantizeModel(const Model& model, const Dataset& dataset,
                                     const QuantizeOptions& options) {
  const auto& source = Access::Of(model);
  PARE_ASSIGN(const graph::Graph graph, source.Simplified());
  const auto& samples = Access::Of(dataset).dataset;
  data::Preprocess preprocess = source.preprocess;
  for (const auto& [field, text] : options.preprocess) PARE_TRY(preprocess.Set(field, text));
  PARE_ASSIGN(compress::QuantizeOptions internal, ToInternal(options));
  internal.targets = samples->targets();
  internal.metric = compress::MetricWithTargets(internal.metric, internal.targets != nullptr);
  const model::Context context = model::Context::Make(options.threads);
  NoteKeeper progress;
  PARE_ASSIGN(auto quantized,
              compress::Quantize(graph, samples, preprocess, context, internal, progress));
  preprocess.WriteTo(quantized.graph.metadata);
  PARE_ASSIGN(const std::string bytes, onnx::ExportBytes(quantized.graph));
  const auto size = static_cast<int64_t>(bytes.size());
  PARE_ASSIGN(const auto comparison,
              compress::Compare({graph, source.bytes}, {quantized.graph, size}, samples,
                                quantized.split.verification, preprocess, context,
                                {.metric = internal.metric,
                                 .layer_samples = 0,
                                 .targets = internal.targets,
                                 .timing = {}},
                                progress));
  std::vector<LayerResult> layers;
  for (const compress::LayerReport& layer : quantized.layers) {
    layers.push_back({layer.name, layer.op, layer.precision, InApiNames(layer.reason)});
  }
  return QuantizeResult{Access::Make({{}, std::move(quantized.graph), preprocess, size}),
                        comparison.quality.top1_a,
                        comparison.quality.top1_b,
                        comparison.quality.agreement,
                        comparison.quality.cosine.value_or(0),
                        R2Of(comparison.quality.values_a),
                        R2Of(comparison.quality.values_b),
                        comparison.time.speedup.median,
                        std::move(layers),
                        progress.notes()};
}

}  // namespace

Result<QuantizeResult> Quantize(const Model& model, const Dataset& dataset,
                                const QuantizeOptions& options) {
  return Guarded([&] { return QuantizeModel(model, dataset, options); });
}

}  // namespace pare
