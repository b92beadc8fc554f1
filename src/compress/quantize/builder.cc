#include "compress/quantize/builder.h"

#include <algorithm>
#include <set>

#include "compress/guarded.h"
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

Result<Range> FindRange(const Calibration& calibration, ValueId id, Calibrator calibrator) {
  const Graph& graph = calibration.graph;
  const graph::Value& value = graph.value(id);
  if (value.data) return RangeOfConstant(value.data);
  if (const Node* producer = graph.producer_of(id)) {
    const ops::OpDef* op = ops::FindOp(producer->op);
    if (op && op->quant.fixed_lo < op->quant.fixed_hi)
      return Range{op->quant.fixed_lo, op->quant.fixed_hi};
  }
  const auto at = calibration.statistics.find(value.name);
  if (at == calibration.statistics.end()) {
    return Fail(ErrorKind::kInternal, Text("the value ", value.name, " was not observed"));
  }
  const Histogram& histogram = at->second.histogram;
  if (calibrator == Calibrator::kOutputs) {
    const auto known = calibration.output_ranges.find(value.name);
    if (known != calibration.output_ranges.end()) return known->second;
  }
  return calibrator == Calibrator::kAuto || calibrator == Calibrator::kOutputs
             ? CalibrateAuto(histogram).range
             : Calibrate(histogram, calibrator);
}

Result<Range> RangeOf(const Calibration& calibration, ValueId id, Calibrator calibrator) {
  const auto known = calibration.ranges.find({id, calibrator});
  if (known != calibration.ranges.end()) return known->second;
  return FindRange(calibration, id, calibrator);
}

// The union of the members' ranges: moves share one scale.
Result<std::vector<QuantParams>> ParamsOf(const Calibration& calibration, const Scheme& scheme,
                                          const Variant& variant) {
  std::vector<Range> ranges(scheme.groups);
  std::vector<float> factors(scheme.groups, 1.0f);
  for (const auto& [value, group] : scheme.group_of) {
    PARE_ASSIGN(const Range range, RangeOf(calibration, value, variant.calibrator));
    ranges[group] = {std::min(ranges[group].lo, range.lo), std::max(ranges[group].hi, range.hi)};
    const auto factor = variant.range_factors.find(calibration.graph.value(value).name);
    if (factor != variant.range_factors.end()) factors[group] = factor->second;
  }
  std::vector<QuantParams> params;
  for (size_t i = 0; i < ranges.size(); ++i)
    params.push_back(ToParams({ranges[i].lo * factors[i], ranges[i].hi * factors[i]}));
  return params;
}

int BitsOf(const Layer& layer, const Variant& variant) {
  const auto narrow = variant.weight_bits.find(layer.name);
  return narrow == variant.weight_bits.end() ? 8 : narrow->second;
}

std::shared_ptr<const QuantizedWeights> Round(const Calibration& calibration, graph::NodeId id,
                                              int bits) {
  const Node& node = calibration.graph.node(id);
  const Tensor& data = calibration.graph.value(node.inputs[WeightInput(node)]).data;
  QuantizedWeights quantized = QuantizeWeights(data, WeightAxis(node, data.rank()), bits);
  quantized.mean_shift = MeanShift(calibration.graph, node, calibration.statistics, quantized);
  return std::make_shared<const QuantizedWeights>(std::move(quantized));
}

LayerWeights RoundAll(const Calibration& calibration, const Scheme& scheme,
                      const Variant& variant) {
  LayerWeights weights;
  for (const Layer& layer : scheme.layers) {
    if (!layer.integer || !layer.weighted) continue;
    const int bits = BitsOf(layer, variant);
    const auto known = calibration.rounded.find({layer.node, bits});
    weights[layer.node] =
        known == calibration.rounded.end() ? Round(calibration, layer.node, bits) : known->second;
  }
  return weights;
}

}  // namespace

std::vector<ValueId> ValuesToObserve(const Graph& graph, const Scheme& scheme) {
  std::vector<ValueId> values;
  for (const auto& [value, group] : scheme.group_of) {
    if (!graph.value(value).data) values.push_back(value);
  }
  return values;
}

Status Prepare(Calibration& calibration, std::span<const Variant> variants, ThreadPool& pool) {
  std::set<std::pair<graph::NodeId, int>> weights;
  std::set<std::pair<ValueId, Calibrator>> values;
  for (const Variant& variant : variants) {
    const Scheme scheme = MakeScheme(calibration.graph, {.keep_float = calibration.keep_float,
                                                         .given_back = variant.given_back});
    for (const Layer& layer : scheme.layers) {
      const std::pair key(layer.node, BitsOf(layer, variant));
      if (layer.integer && layer.weighted && !calibration.rounded.contains(key))
        weights.insert(key);
    }
    for (const auto& [value, group] : scheme.group_of) {
      const std::pair key(value, variant.calibrator);
      if (!calibration.ranges.contains(key)) values.insert(key);
    }
  }
  const std::vector weight_keys(weights.begin(), weights.end());
  const std::vector value_keys(values.begin(), values.end());
  const auto round = [&](size_t i) -> Result<std::shared_ptr<const QuantizedWeights>> {
    return Round(calibration, weight_keys[i].first, weight_keys[i].second);
  };
  const auto find = [&](size_t i) {
    return FindRange(calibration, value_keys[i].first, value_keys[i].second);
  };
  PARE_ASSIGN(auto rounded, SideBySide(pool, weight_keys.size(), round));
  PARE_ASSIGN(const auto ranges, SideBySide(pool, value_keys.size(), find));
  for (size_t i = 0; i < rounded.size(); ++i)
    calibration.rounded[weight_keys[i]] = std::move(rounded[i]);
  for (size_t i = 0; i < ranges.size(); ++i) calibration.ranges[value_keys[i]] = ranges[i];
  return {};
}

Result<Quantization> Decide(const Calibration& calibration, const Variant& variant) {
  Quantization q{calibration.graph, {}, {}, {}, false};
  q.scheme =
      MakeScheme(q.graph, {.keep_float = calibration.keep_float, .given_back = variant.given_back});
  q.weights = RoundAll(calibration, q.scheme, variant);
  PARE_ASSIGN(q.params, ParamsOf(calibration, q.scheme, variant));
  if (variant.bias_correction) q.bias_corrected = CorrectBiases(q.graph, q.scheme, q.weights);
  for (const Layer& layer : q.scheme.layers) {
    const auto shift = variant.output_shift.find(layer.name);
    if (layer.integer && shift != variant.output_shift.end())
      ShiftBias(q.graph, layer, shift->second);
  }
  return q;
}

Result<Built> Write(Quantization q) {
  PARE_TRY(WriteQdq(q.graph, q.scheme, q.params, q.weights));
  return Built{std::move(q.graph), std::move(q.scheme), std::move(q.params), q.bias_corrected};
}

Result<Built> Build(const Calibration& calibration, const Variant& variant) {
  PARE_ASSIGN(Quantization quantization, Decide(calibration, variant));
  return Write(std::move(quantization));
}

}  // namespace pare::compress
