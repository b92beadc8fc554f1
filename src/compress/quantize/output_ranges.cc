#include "compress/quantize/output_ranges.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "compress/signed_outputs.h"
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
constexpr size_t kMostBytes = size_t{1} << 28;  // of all activations
// Fewer don't have the large values that matter.
constexpr int64_t kLeastSamples = 24;
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
  if (BytesOf(graph) > kMostBytes)
    return Fail(ErrorKind::kUnsupported, "its gradients would take too much memory");
  ops::Emitter emit(graph, dims);
  emit.set_origin("ranges");
  PARE_ASSIGN(SignedOutputs outputs, EmitSignedOutputs(emit, "ranges"));
  made.signs = std::move(outputs.signs);
  PARE_ASSIGN(const auto gradients, train::Differentiate(emit, outputs.sum.id(), moved));
  for (size_t i = 0; i < moved.size(); ++i) {
    if (gradients[i] == ValueId::kNone) continue;
    graph.SetPinned(gradients[i], true);
    made.names.emplace_back(graph.value(moved[i]).name, graph.value(gradients[i]).name);
  }
  graph.RemoveDead();
  PARE_TRY(passes::RunPasses(graph, passes::StepPasses()));
  return made;
}

// Of `count` elements every so many are looked at. No divisor of the count: the elements of a
// channel lie that far apart.
int64_t StrideOf(int64_t count) {
  int64_t stride = std::max<int64_t>(1, count / kMostLooked);
  while (std::gcd(stride, count) > 1) ++stride;
  return stride;
}

// One side of a tensor's range, of one batch.
class Side {
 public:
  explicit Side(float end) : end_(end), per_part_(end == 0 ? 0 : RangeCosts::kParts / end) {}

  void Add(float x, float g) {
    const float part = x * per_part_;
    if (!(part >= kLeastParts)) return;  // never cut, or not finite
    const auto at = static_cast<size_t>(std::min(part, float{RangeCosts::kParts}));
    sums_[at].g += g;
    sums_[at].gx += double{g} * x;
  }

  // Σ g·δ of what lies beyond so many parts, and is cut to them.
  std::vector<double> Cuts() const {
    std::vector<double> cuts(RangeCosts::kParts + 1, 0);
    double g = 0, gx = 0;
    for (int part = RangeCosts::kParts; part >= kLeastParts; --part) {
      g += sums_[part].g;
      gx += sums_[part].gx;
      cuts[part] = g * end_ * part / RangeCosts::kParts - gx;
    }
    return cuts;
  }

 private:
  double end_;
  float per_part_;
  struct Sums {
    double g = 0, gx = 0;  // Σ g, Σ g·x
  };
  std::array<Sums, RangeCosts::kParts + 1> sums_{};  // by part
};

// What the samples show of each value.
class Looker {
 public:
  Looker(const GradientGraph& made, const Statistics& statistics) {
    for (const auto& [value, gradient] : made.names) {
      const auto at = statistics.find(value);
      if (at == statistics.end()) continue;
      const Histogram& seen = at->second.histogram;
      at_.emplace(value, Place{seen_.size(), &Seen::value});
      at_.emplace(gradient, Place{seen_.size(), &Seen::gradient});
      seen_.push_back(
          {value, RangeCosts({std::min(seen.min(), 0.0f), std::max(seen.max(), 0.0f)}), {}, {}, 1});
    }
  }

  void Look(const PinnedValue& value, const void* data) {
    if (value.type.dtype != DType::kF32) return;
    const auto [begin, end] = at_.equal_range(value.name);
    const int64_t count = CountOf(value.type.dims()).value(), stride = StrideOf(count);
    for (auto at = begin; at != end; ++at) {
      Seen& seen = seen_[at->second.index];
      std::vector<float>& some = seen.*at->second.part;
      some.clear();
      for (int64_t i = 0; i < count; i += stride)
        some.push_back(static_cast<const float*>(data)[i]);
      seen.each = stride;
    }
  }
  // Behind a batch: a gradient may be computed before the value that it is by.
  void Add() {
    for (Seen& seen : seen_) seen.costs.Add(seen.value, seen.gradient, seen.each);
  }

  std::map<std::string, Range> Best() const {
    std::map<std::string, Range> ranges;
    for (const Seen& seen : seen_) ranges[seen.name] = seen.costs.Best();
    return ranges;
  }

 private:
  struct Seen {
    std::string name;
    RangeCosts costs;
    std::vector<float> value, gradient;  // some of a batch, in the same order
    int64_t each;                        // that each of these stands for
  };
  struct Place {
    size_t index;  // of seen_
    std::vector<float> Seen::* part;
  };
  std::vector<Seen> seen_;
  std::multimap<std::string, Place> at_;  // by the name of a value or gradient
};

// The gradients of the model's outputs, and what they show.
class GradientRun {
 public:
  static Result<GradientRun> Make(const Graph& graph, const std::vector<ValueId>& values,
                                  const Statistics& statistics, std::vector<Dims> shapes,
                                  const model::Context& context) {
    GradientRun run;
    run.shapes_ = std::move(shapes);
    auto gradients = MakeGradients(graph, values, run.shapes_);
    // Whatever the reason: there are other ranges.
    if (!gradients) return Fail(ErrorKind::kUnsupported, gradients.error().message());
    GradientGraph made = *std::move(gradients);
    run.signs_ = made.signs;
    run.looker_ = std::make_unique<Looker>(made, statistics);
    run.outputs_.resize(made.graph.outputs().size());
    run.session_ = std::make_unique<runtime::Session>(
        std::move(made.graph), context.cpu, context.pool,
        [](const Graph& same, std::span<const Dims>) -> Result<Graph> { return same; });
    return run;
  }

  // Batches of other shapes than the first are left out.
  Status Add(const data::Batch& batch, std::span<const double> powers, Random& random) {
    if (batch.shapes() != shapes_) return {};
    std::vector<Tensor> inputs = batch.inputs;
    for (size_t i = 0; i < signs_.size(); ++i) {
      const auto size = static_cast<float>(1 / std::sqrt(std::max(powers[i], 1e-30)));
      PARE_ASSIGN(inputs.emplace_back(), RandomSigns(signs_[i], batch.count(), size, random));
    }
    const auto look = [&](const PinnedValue& value, const void* data) {
      looker_->Look(value, data);
    };
    const runtime::Observer observer(look);
    PARE_TRY(session_->Run(inputs, outputs_, {.observer = &observer}));
    looker_->Add();
    samples_ += batch.count();
    return {};
  }

  int64_t samples() const { return samples_; }
  std::map<std::string, Range> Best() const { return looker_->Best(); }

 private:
  std::vector<Dims> shapes_, signs_;
  std::unique_ptr<Looker> looker_;
  std::unique_ptr<runtime::Session> session_;
  std::vector<Tensor> outputs_;
  int64_t samples_ = 0;
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
  squares_ += squares * static_cast<double>(each);
  batches_.push_back({static_cast<double>(each), low.Cuts(), high.Cuts()});
}

// Of elements that stand for k each, (k·Σ g·δ)² is on average k·(k − 1)·Σ (g·δ)² more than what all
// have: large tensors are cut with more caution. Without that excess, which changes much from
// sample to sample, the least cost is that of a range which cuts what happened to cancel out.
double RangeCosts::Of(int low, int high) const {
  const double span = (double{seen_.hi} * high - double{seen_.lo} * low) / kParts;
  double cost = span * span / (255.0 * 255.0 * 12) * squares_;
  for (const Batch& batch : batches_) {
    const double cut = batch.each * (batch.low[low] + batch.high[high]);
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

Result<std::map<std::string, Range>> RangesByOutputs(
    const Graph& graph, const std::vector<ValueId>& values, const Statistics& statistics,
    std::span<const double> powers, data::Loader& samples, const model::Context& context,
    Progress& progress) {
  std::optional<GradientRun> run;
  Random random(0);
  while (true) {
    PARE_TRY(progress.Check());
    PARE_ASSIGN(const auto batch, samples.Next());
    if (!batch) break;
    if (!run) {
      PARE_ASSIGN(run, GradientRun::Make(graph, values, statistics, batch->shapes(), context));
    }
    PARE_TRY(run->Add(*batch, powers, random));
    progress.Advance(batch->count());
  }
  if (!run || run->samples() < kLeastSamples) {
    return Fail(ErrorKind::kUnsupported,
                Text("fewer than ", kLeastSamples, " samples have the shape of the first"));
  }
  return run->Best();
}

}  // namespace pare::compress
