#include "compress/quantize/builder.h"

#include <algorithm>

#include "compress/quantize/correct_bias.h"
#include "ops/op_def.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

Range RangeOfConstant(const Tensor& data) {
  Range range;
  for (const float value : data.as<float>()) {
    range.lo = std::min(range.lo, value);
    range.hi = std::max(range.hi, value);
  }
  return range;
}

Result<Range> RangeOf(const Graph& graph, const Statistics& statistics, ValueId id,
                      Calibrator calibrator) {
  const graph::Value& value = graph.value(id);
  if (value.data) return RangeOfConstant(value.data);
  if (const Node* producer = graph.producer_of(id)) {
    const ops::OpDef* op = ops::FindOp(producer->op);
    if (op && op->quant.fixed_lo < op->quant.fixed_hi)
      return Range{op->quant.fixed_lo, op->quant.fixed_hi};
  }
  const auto at = statistics.find(value.name);
  if (at == statistics.end()) {
    return Fail(ErrorKind::kInternal, Text("the value ", value.name, " was not observed"));
  }
  const Histogram& histogram = at->second.histogram;
  return calibrator == Calibrator::kAuto ? CalibrateAuto(histogram).range
                                         : Calibrate(histogram, calibrator);
}

// The union of the members' ranges: moves share one scale.
Result<std::vector<QuantParams>> ParamsOf(const Calibration& calibration, const Scheme& scheme,
                                          Calibrator calibrator) {
  std::vector<Range> ranges(scheme.groups);
  for (const auto& [value, group] : scheme.group_of) {
    PARE_ASSIGN(const Range range,
                RangeOf(calibration.graph, calibration.statistics, value, calibrator));
    ranges[group] = {std::min(ranges[group].lo, range.lo), std::max(ranges[group].hi, range.hi)};
  }
  std::vector<QuantParams> params;
  for (const Range& range : ranges) params.push_back(ToParams(range));
  return params;
}

}  // namespace

std::vector<ValueId> ValuesToObserve(const Graph& graph, const Scheme& scheme) {
  std::vector<ValueId> values;
  for (const auto& [value, group] : scheme.group_of) {
    if (!graph.value(value).data) values.push_back(value);
  }
  return values;
}

Result<Built> Build(const Calibration& calibration, const Variant& variant) {
  Built built{calibration.graph, {}};
  built.scheme = MakeScheme(
      built.graph, {.keep_float = calibration.keep_float, .given_back = variant.given_back});
  WeightOptions weights;
  for (const Layer& layer : built.scheme.layers) {
    const auto bits = variant.weight_bits.find(layer.name);
    if (bits != variant.weight_bits.end()) weights.bits[layer.node] = bits->second;
  }
  PARE_ASSIGN(const auto params, ParamsOf(calibration, built.scheme, variant.calibrator));
  if (variant.bias_correction) {
    PARE_TRY(CorrectBiases(built.graph, built.scheme, calibration.statistics, weights));
  }
  PARE_TRY(WriteQdq(built.graph, built.scheme, params, weights));
  return built;
}

}  // namespace pare::compress
