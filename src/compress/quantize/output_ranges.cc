#include "compress/quantize/output_ranges.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/random.h"
#include "ops/emit.h"
#include "passes/bind.h"
#include "passes/pipeline.h"
#include "train/autodiff.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::ValueId;
using runtime::PinnedValue;

constexpr int kLeastParts = 4;                  // of kParts: no range is smaller
constexpr int64_t kMostLooked = 1 << 14;        // elements of a tensor in each batch
constexpr size_t kMostBytes = size_t{1} << 29;  // of all activations
// Fewer don't have the large values that matter.
constexpr int64_t kLeastSamples = 32;
// Other samples have larger values than those that were looked at.
constexpr double kCutWeight = 2;

// The model and the gradient of Σ ± y by some of its values. Inputs are the model's, and then the
// signs of each output.
struct GradientGraph {
  Graph graph;
  std::vector<Dims> signs;                                 // shapes
  std::vector<std::pair<std::string, std::string>> names;  // of a value and of its gradient
};

size_t BytesOf(const Graph& graph) {
  size_t bytes = 0;
  for (graph::NodeId id : graph.Order()) {
    for (ValueId output : graph.node(id).outputs) {
      if (output == ValueId::kNone || !graph.value(output).type.is_static()) continue;
      bytes +=
          static_cast<size_t>(CountOf(graph.value(output).type.dims()).value_or(0)) * sizeof(float);
    }
  }
  return bytes;
}

Result<GradientGraph> MakeGradients(const Graph& model, const std::vector<ValueId>& values,
                                    std::span<const Dims> shapes) {
  GradientGraph made;
  PARE_ASSIGN(made.graph, passes::BindShapes(model, shapes));
  Graph& graph = made.graph;
  for (const ValueId id : values) graph.SetPinned(id, true);
  // Normalisations stay as they infer.
  PARE_TRY(
      passes::RunPasses(graph, passes::TrainPasses(), nullptr, {.switches = "-TrainBatchNorm"}));
  std::vector<ValueId> moved;  // as they are now: with their channels last
  for (const ValueId id : values) {
    const ValueId now = graph.FindValue(model.value(id).name);
    if (now != ValueId::kNone) moved.push_back(now);
  }
  PARE_ASSIGN(ops::KnownDims dims, ops::InferTypesAndDims(graph));
  if (BytesOf(graph) > kMostBytes) return Fail(ErrorKind::kUnsupported, "too much memory");
  ops::Emitter emit(graph, dims);
  emit.set_origin("ranges");
  ops::Var loss;
  for (const auto& output : std::vector(graph.outputs().begin(), graph.outputs().end())) {
    const ops::Var y = emit.Of(output.value);
    if (y.type().dtype != DType::kF32) return Fail(ErrorKind::kUnsupported, "no float output");
    made.signs.push_back(y.dims());
    const ops::Var signs = emit.Of(graph.AddInput(graph.FreshName("ranges.signs"), y.type()));
    const ops::Var sum = ops::ReduceSum(signs * y, {}, ops::KeepDims::kNo);
    loss = loss ? loss + sum : sum;
  }
  PARE_TRY(emit.status());
  PARE_ASSIGN(const auto gradients, train::Differentiate(emit, loss.id(), moved));
  for (size_t i = 0; i < moved.size(); ++i) {
    if (gradients[i] == ValueId::kNone) continue;
    graph.SetPinned(gradients[i], true);
    made.names.emplace_back(graph.value(moved[i]).name, graph.value(gradients[i]).name);
  }
  graph.RemoveDead();
  PARE_TRY(passes::RunPasses(graph, passes::StepPasses()));
  return made;
}

// Of `count` elements every so many are looked at: an odd number, for tensors have many powers
// of 2.
int64_t StrideOf(int64_t count) { return count <= kMostLooked ? 1 : (count / kMostLooked) | 1; }

// Random signs for the samples that count, zeros for those that fill the batch up.
Result<Tensor> Signs(const Dims& shape, int64_t samples, Random& random) {
  PARE_ASSIGN(Tensor signs, Tensor::Zeros(DType::kF32, shape));
  const auto values = signs.mutable_as<float>();
  const int64_t rows = shape.empty() ? 1 : std::max<int64_t>(1, shape[0]);
  const int64_t counted = std::ssize(values) / rows * std::min(samples, rows);
  for (int64_t i = 0; i < counted; ++i) values[i] = random.Below(2) == 0 ? -1.0f : 1.0f;
  return signs;
}

// Every so many elements; a value and its gradient lie in the same order.
std::vector<float> SomeOf(const PinnedValue& value, const float* data) {
  const int64_t count = CountOf(value.type.dims()).value(), stride = StrideOf(count);
  std::vector<float> some;
  some.reserve(static_cast<size_t>(count / stride + 1));
  for (int64_t i = 0; i < count; i += stride) some.push_back(data[i]);
  return some;
}

std::vector<Dims> ShapesOf(const data::Batch& batch) {
  std::vector<Dims> shapes;
  for (const Tensor& input : batch.inputs) shapes.push_back(input.shape());
  return shapes;
}

// One side of a tensor's range, of one batch.
class Side {
 public:
  explicit Side(float end) : end_(end), per_part_(end == 0 ? 0 : RangeCosts::kParts / end) {}

  void Add(float x, float g) {
    const float part = x * per_part_;
    if (!(part >= kLeastParts)) return;  // never cut, or not finite
    const auto at = static_cast<size_t>(std::min(part, float{RangeCosts::kParts}));
    gradients_[at] += g;
    products_[at] += double{g} * x;
  }

  // Σ g·δ of what lies beyond so many parts, and is cut to them.
  std::vector<double> Cuts(double factor) const {
    std::vector<double> cuts(RangeCosts::kParts + 1, 0);
    double gradient = 0, product = 0;
    for (int part = RangeCosts::kParts; part >= kLeastParts; --part) {
      gradient += gradients_[part];
      product += products_[part];
      cuts[part] = factor * (gradient * end_ * part / RangeCosts::kParts - product);
    }
    return cuts;
  }

 private:
  double end_;
  float per_part_;
  std::array<double, RangeCosts::kParts + 1> gradients_{}, products_{};  // Σ g, Σ g·x by part
};

// What the samples show of each value.
class Looker {
 public:
  Looker(const GradientGraph& made, const Statistics& statistics) {
    for (const auto& [value, gradient] : made.names) {
      const auto at = statistics.find(value);
      if (at == statistics.end()) continue;
      const Histogram& seen = at->second.histogram;
      values_.emplace(value, values_.size());
      gradients_.emplace(gradient, costs_.size());
      costs_.emplace_back(Range{std::min(seen.min(), 0.0f), std::max(seen.max(), 0.0f)});
      names_.push_back(value);
    }
    some_.resize(costs_.size());
  }

  void Look(const PinnedValue& value, const void* data) {
    if (value.type.dtype != DType::kF32) return;
    const auto* floats = static_cast<const float*>(data);
    if (const auto at = values_.find(value.name); at != values_.end())
      some_[at->second] = SomeOf(value, floats);
    const auto [begin, end] = gradients_.equal_range(value.name);
    if (begin == end) return;
    const std::vector<float> gradient = SomeOf(value, floats);
    for (auto at = begin; at != end; ++at)
      costs_[at->second].Add(some_[at->second], gradient,
                             StrideOf(CountOf(value.type.dims()).value()));
  }

  std::map<std::string, Range> Best() const {
    std::map<std::string, Range> ranges;
    for (size_t i = 0; i < costs_.size(); ++i) ranges[names_[i]] = costs_[i].Best();
    return ranges;
  }

 private:
  std::vector<std::string> names_;
  std::vector<RangeCosts> costs_;
  std::map<std::string, size_t> values_;
  std::multimap<std::string, size_t> gradients_;
  std::vector<std::vector<float>> some_;
};

}  // namespace

void RangeCosts::Add(std::span<const float> x, std::span<const float> g, int64_t each) {
  if (x.size() != g.size()) return;
  Side low(seen_.lo), high(seen_.hi);
  double squares = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] == 0) continue;
    squares += double{g[i]} * g[i];
    (x[i] > 0 ? high : low).Add(x[i], g[i]);
  }
  const auto factor = static_cast<double>(each);
  squares_ += squares * factor;
  low_.push_back(low.Cuts(factor));
  high_.push_back(high.Cuts(factor));
}

double RangeCosts::Of(int low, int high) const {
  const double span = (double{seen_.hi} * high - double{seen_.lo} * low) / kParts;
  double cost = span * span / (255.0 * 255.0 * 12) * squares_;
  for (size_t batch = 0; batch < low_.size(); ++batch) {
    const double cut = high_[batch][high] + low_[batch][low];
    cost += kCutWeight * cut * cut;
  }
  return cost;
}

Range RangeCosts::Best() const {
  int low = kParts, high = kParts;
  if (!(squares_ > 0) || !std::isfinite(squares_)) return seen_;
  double least = Of(low, high);
  for (int l = seen_.lo < 0 ? kLeastParts : kParts; l <= kParts; ++l) {
    for (int h = seen_.hi > 0 ? kLeastParts : kParts; h <= kParts; ++h) {
      const double cost = Of(l, h);
      if (!(cost < least)) continue;
      least = cost;
      low = l;
      high = h;
    }
  }
  return {seen_.lo * static_cast<float>(low) / kParts,
          seen_.hi * static_cast<float>(high) / kParts};
}

Result<std::map<std::string, Range>> RangesByOutputs(const Graph& graph,
                                                     const std::vector<ValueId>& values,
                                                     const Statistics& statistics,
                                                     std::span<const data::Batch* const> batches,
                                                     const model::Context& context,
                                                     Progress& progress) {
  int64_t samples = 0;
  for (const data::Batch* batch : batches) samples += batch->count();
  if (samples < kLeastSamples) return std::map<std::string, Range>{};
  const std::vector<Dims> shapes = ShapesOf(*batches[0]);
  const auto made = MakeGradients(graph, values, shapes);
  if (!made) return std::map<std::string, Range>{};  // what has no gradient has other ranges
  runtime::Session session(
      made->graph, context.cpu, context.pool,
      [](const Graph& same, std::span<const Dims>) -> Result<Graph> { return same; });
  Looker looker(*made, statistics);
  const auto look = [&](const PinnedValue& value, const void* data) { looker.Look(value, data); };
  const runtime::Observer observer(look);
  Random random(0);
  std::vector<Tensor> outputs(made->graph.outputs().size());
  progress.Stage("looking at gradients", samples);
  for (const data::Batch* batch : batches) {
    PARE_TRY(progress.Check());
    if (ShapesOf(*batch) != shapes) continue;  // the last, shorter one
    std::vector<Tensor> inputs = batch->inputs;
    for (const Dims& shape : made->signs) {
      PARE_ASSIGN(inputs.emplace_back(), Signs(shape, batch->count(), random));
    }
    PARE_TRY(session.Run(inputs, outputs, {.observer = &observer}));
    progress.Advance(batch->count());
  }
  return looker.Best();
}

}  // namespace pare::compress
