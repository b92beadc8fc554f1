#include "compress/compare.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "compress/bias_of_product.h"
#include "compress/for_each_answer.h"
#include "compress/inputs.h"
#include "compress/quantize/domain.h"
#include "compress/quantize/scheme.h"
#include "compress/quantize/write_qdq.h"
#include "compress/reasons.h"
#include "compress/saturation.h"
#include "graph/text.h"
#include "ops/op_def.h"
#include "ops/pairs.h"
#include "platform/clock.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::ValueId;

bool FromDequantize(const Graph& graph, ValueId id) {
  const Node* producer = graph.producer_of(id);
  if (producer && IsDomainClip(graph, *producer)) producer = graph.producer_of(producer->inputs[0]);
  return producer && producer->op == "DequantizeLinear";
}

// By the file: all that an integer form reads comes from a DequantizeLinear.
bool ReadsIntegers(const Graph& graph, const Node& node, const ops::QuantRule& rule) {
  if (node.inputs.empty() || !rule.integer) return false;
  for (size_t i = 0; i < node.inputs.size() && i < rule.inputs.size(); ++i) {
    const ops::Role role = rule.inputs[i].role;
    const bool read = i == 0 || role == ops::Role::kActivation || role == ops::Role::kWeight;
    if (read && !FromDequantize(graph, node.inputs[i])) return false;
  }
  return true;
}

bool ComputesInIntegers(const Node& node) {
  return node.op.starts_with("pare.Q") || node.op == "pare.Lut";
}

// Whether each layer that `running` has, by its name in `graph`, is computed in integers there.
std::map<std::string, bool> IntegersByLayer(const Graph& graph, const Graph& running) {
  std::map<std::string, bool> integers;
  for (graph::NodeId id : running.Order()) {
    const Node& node = running.node(id);
    if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear") continue;
    if (node.outputs[0] == ValueId::kNone) continue;
    integers[LayerNameOf(graph, running.value(node.outputs[0]).name)] |= ComputesInIntegers(node);
  }
  return integers;
}

// 4 by the weights' type, 7 where they have pairs and all fit (ops/pairs.h), else 8.
int WeightBitsOf(const Graph& graph, const Node& node) {
  const ops::OpDef* op = ops::FindOp(node.op);
  if (!op || node.inputs.size() < 2 || op->quant.inputs[1].role != ops::Role::kWeight) return 8;
  const Node* dq = graph.producer_of(node.inputs[1]);
  if (!dq || dq->op != "DequantizeLinear" || !graph.is_constant(dq->inputs[0])) return 8;
  const Tensor& weights = graph.value(dq->inputs[0]).data;
  if (IsNarrow(weights.dtype())) return 4;
  if (weights.dtype() != DType::kI8 || weights.rank() < 2) return 8;
  return ops::PairsFit(weights, WeightAxis(node, weights.rank())) ? 7 : 8;
}

// The nodes behind `id` that are parts of the same layer: a product's bias, and a clamp that it
// absorbs.
std::vector<graph::NodeId> PartsBehind(const Graph& graph, graph::NodeId id) {
  std::vector<graph::NodeId> parts;
  const graph::NodeId bias = BiasAddOf(graph, id);
  if (bias != graph::NodeId::kNone) parts.push_back(bias);
  const ValueId output = graph.node(parts.empty() ? id : bias).outputs[0];
  const graph::Value& value = graph.value(output);
  if (value.uses.size() != 1 || graph.is_output(output)) return parts;
  const graph::Use use = value.uses[0];
  const bool clamped = use.input == 0 && IsClamp(graph.node(use.node));
  if (clamped && AbsorbsClamp(graph.node(id))) parts.push_back(use.node);
  return parts;
}

// Of 16 bits, say, or with scales by channel of activations.
constexpr std::string_view kFloatBetween =
    "quantized in the file, in a form that pare computes in float";

std::string FloatName(DType dtype) {
  return dtype == DType::kBF16 ? "bfloat16" : Text("float", 8 * SizeOf(dtype));
}

constexpr const char* kSameData =
    "both run on the same samples and are to answer alike: `pare inspect` lists inputs and outputs";

Status CheckSameTypes(const Graph& a, const std::vector<ValueId>& of_a, const Graph& b,
                      const std::vector<ValueId>& of_b, std::string_view what) {
  if (of_a.size() != of_b.size()) {
    return Fail(ErrorKind::kUsage,
                Text("the models have ", of_a.size(), " and ", of_b.size(), ' ', what,
                     "s and can't be compared"),
                kSameData);
  }
  for (size_t i = 0; i < of_a.size(); ++i) {
    const graph::Value &x = a.value(of_a[i]), &y = b.value(of_b[i]);
    if (x.type.dtype == y.type.dtype && SameShape(x.type, y.type)) continue;
    return Fail(ErrorKind::kUsage,
                Text("the models can't be compared: their ", what, "s are \"", x.name, "\" (",
                     graph::TypeText(x.type, a.symbols()), ") and \"", y.name, "\" (",
                     graph::TypeText(y.type, b.symbols()), ')'),
                kSameData);
  }
  return {};
}

std::vector<ValueId> OutputsOf(const Graph& graph) {
  std::vector<ValueId> outputs;
  for (const graph::Output& output : graph.outputs()) outputs.push_back(output.value);
  return outputs;
}

Status CheckComparable(const Graph& a, const Graph& b) {
  std::vector<ValueId> inputs = a.inputs();  // in b's order
  if (inputs.size() == b.inputs().size()) {
    const auto places = InputPlaces(a, b);
    for (size_t i = 0; i < places.size(); ++i) inputs[i] = a.inputs()[places[i]];
  }
  PARE_TRY(CheckSameTypes(a, inputs, b, b.inputs(), "input"));
  return CheckSameTypes(a, OutputsOf(a), b, OutputsOf(b), "output");
}

void NoteNotFinite(const PairScore& pair, Progress& progress) {
  const auto note = [&](std::string_view whose, int64_t samples, std::string_view what) {
    if (samples == 0) return;
    progress.Note(Text("the answers of the model ", whose, " hold NaN or infinities for ", samples,
                       " of ", pair.count(), " samples: ", what));
  };
  note("before", pair.not_finite_reference(), "nothing can be compared with these");
  note("after", pair.not_finite_other(), "these count as unlike whatever is expected");
}

// Each layer of two models timed for itself.
Result<Timed> TimeLayersApart(const Graph& a, const Graph& b, InputsBySide inputs,
                              const model::Context& context, const TimingOptions& timing) {
  PARE_ASSIGN(const auto session_a, model::MakeSession(a, context, kLayersApart));
  PARE_ASSIGN(const auto session_b, model::MakeSession(b, context, kLayersApart));
  runtime::Session* const sessions[] = {session_a.get(), session_b.get()};
  return ProfileInterleaved(sessions, inputs, timing);
}

}  // namespace

std::optional<double> Quality::drop() const {
  if (top1_a && top1_b) return *top1_a - *top1_b;
  if (agreement) return 100 - *agreement;
  if (values_a && values_b && values_a->r2 && values_b->r2)
    return 100 * (*values_a->r2 - *values_b->r2);
  return std::nullopt;
}

std::string_view Quality::drop_name() const {
  if (top1_a && top1_b) return "top-1";
  return agreement ? "agreement" : "R²";
}

std::map<std::string, double> TimesByLayer(const Graph& graph,
                                           const std::vector<runtime::LayerTime>& layers) {
  std::map<std::string, double> times;
  for (const runtime::LayerTime& layer : layers)
    times[LayerNameOf(graph, layer.name)] += layer.median_ms;
  return times;
}

std::vector<LayerReport> ListLayers(const Graph& graph, const Graph& running) {
  std::vector<LayerReport> layers;
  const std::map<std::string, bool> integers = IntegersByLayer(graph, running);
  std::set<graph::NodeId> parts;  // of layers before them
  for (graph::NodeId id : graph.Order()) {
    const Node& node = graph.node(id);
    if (node.outputs[0] == ValueId::kNone || parts.contains(id)) continue;
    const std::vector<graph::NodeId> behind = PartsBehind(graph, id);
    parts.insert(behind.begin(), behind.end());
    const ops::OpDef* op = ops::FindOp(node.op);
    if (!op || op->quant.same_scale) continue;
    if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear") continue;
    if (IsOutputCast(graph, node) || IsDomainClip(graph, node)) continue;
    const DType dtype = graph.value(node.outputs[0]).type.dtype;
    if (!IsFloat(dtype)) continue;
    const ValueId result = graph.node(behind.empty() ? id : behind.back()).outputs[0];
    LayerReport layer{.name = LayerNameOf(graph, graph.value(result).name),
                      .op = node.op,
                      .precision = {},
                      .reason = {}};
    // A layer that another one absorbed runs as that does, which the file alone tells.
    const auto runs = integers.find(layer.name);
    const bool reads_integers = ReadsIntegers(graph, node, op->quant);
    const bool integer = runs == integers.end() ? reads_integers : runs->second;
    layer.precision = integer ? Text("int", WeightBitsOf(graph, node)) : FloatName(dtype);
    if (reads_integers && !integer) layer.reason = std::string(kFloatBetween);
    layers.push_back(std::move(layer));
  }
  return layers;
}

Result<Quality> CompareQuality(runtime::Session& a, runtime::Session& b, data::Loader& loader,
                               Metric metric, Progress& progress, const data::Dataset* targets) {
  Quality quality;
  quality.metric = ChooseMetric(metric, a.graph());
  PARE_TRY(CheckComparable(a.graph(), b.graph()));
  PARE_ASSIGN(const SharedInputs shared, MatchInputs(a.graph(), b.graph()));
  LabelScore score_a, score_b;
  PairScore pair;
  ValueScore values_a, values_b;
  std::vector<Tensor> out_b(b.graph().outputs().size());
  const auto look = [&](const data::Batch& batch, const std::vector<Tensor>& out_a) -> Status {
    PARE_ASSIGN(const auto inputs_b, shared.Of(batch.inputs));
    PARE_TRY(b.Run(inputs_b, out_b));
    PARE_TRY(ToF32(out_b));
    PARE_TRY(pair.Add(out_a, out_b, batch.count()));
    if (targets) {
      PARE_TRY(values_a.Add(*targets, batch.indices, out_a[0]));
      PARE_TRY(values_b.Add(*targets, batch.indices, out_b[0]));
    }
    if (quality.metric == Metric::kTop) {
      PARE_TRY(CheckScores(out_a));
      PARE_TRY(CheckScores(out_b));
      score_a.Add(out_a[0], batch.labels, batch.count());
      score_b.Add(out_b[0], batch.labels, batch.count());
    }
    return {};
  };
  PARE_TRY(ForEachAnswer(a, loader, "verifying", progress, look));
  NoteNotFinite(pair, progress);
  quality.count = pair.count();
  quality.cosine = pair.cosine();
  quality.mse = pair.mse();
  quality.psnr = pair.psnr();
  if (targets) {
    quality.values_a = values_a.errors();
    quality.values_b = values_b.errors();
  }
  if (quality.metric == Metric::kTop) {
    quality.agreement = pair.agreement();
    if (pair.count() > 0) quality.agreement_bounds = pair.agreement_bounds();
    quality.top1_a_bounds = score_a.top1_bounds();
    quality.top1_b_bounds = score_b.top1_bounds();
    quality.top1_change = score_a.top1_change_bounds(score_b);
    quality.top1_a = score_a.top1();
    quality.top1_b = score_b.top1();
    quality.top5_a = score_a.top5();
    quality.top5_b = score_b.top5();
  }
  return quality;
}

Result<Comparison> Compare(const Side& a, const Side& b,
                           std::shared_ptr<const data::Dataset> dataset,
                           const std::vector<int64_t>& indices, const data::Preprocess& preprocess,
                           const model::Context& context, const CompareOptions& options,
                           Progress& progress) {
  Comparison comparison;
  comparison.bytes_a = a.bytes;
  comparison.bytes_b = b.bytes;
  const Stopwatch watch;
  PARE_ASSIGN(auto session_a, model::MakeSession(a.graph, context));
  PARE_ASSIGN(auto session_b, model::MakeSession(b.graph, context));
  const auto make_loader = [&](const std::vector<int64_t>& samples) {
    return data::Loader::Make(dataset, model::InputSpecs(a.graph), samples,
                              {.batch = options.batch, .preprocess = preprocess, .prefetch = true});
  };
  PARE_ASSIGN(data::Loader loader, make_loader(indices));
  PARE_ASSIGN(comparison.quality, CompareQuality(*session_a, *session_b, loader, options.metric,
                                                 progress, options.targets.get()));
  comparison.verify_seconds = watch.seconds();
  PARE_ASSIGN(const SharedInputs shared, MatchInputs(a.graph, b.graph));
  if (!shared.note.empty()) progress.Note(shared.note);

  comparison.quantized = IsQuantized(b.graph);
  comparison.layers = ListLayers(b.graph, session_b->graph());
  ExplainLayers(a.graph, b.graph, comparison.layers);
  // Evenly over the data: neighbours may be of one class.
  const auto load_few = [&](int64_t most) {
    const int64_t all = std::ssize(indices), count = std::min(most, all);
    std::vector<int64_t> few;
    for (int64_t i = 0; i < count; ++i) few.push_back(indices[i * all / count]);
    return make_loader(few);
  };
  const bool may_saturate = std::ranges::any_of(
      comparison.layers, [](const LayerReport& layer) { return layer.precision == "int8"; });
  if (options.saturation_samples > 0 && may_saturate) {
    PARE_ASSIGN(data::Loader few, load_few(options.saturation_samples));
    PARE_ASSIGN(comparison.saturation,
                CompareSaturating(*session_a, *session_b, b.graph, few, comparison.quality.metric,
                                  context, progress));
    comparison.verify_seconds = watch.seconds();
  }
  if (options.layer_samples > 0) {
    PARE_ASSIGN(data::Loader few, load_few(options.layer_samples));
    std::vector<std::string> names;
    for (const LayerReport& layer : comparison.layers) names.push_back(layer.name);
    PARE_ASSIGN(const auto fidelity,
                CompareLayers(a.graph, b.graph, names, few, context, progress));
    for (LayerReport& layer : comparison.layers) {
      const auto at = fidelity.find(layer.name);
      if (at == fidelity.end()) continue;
      layer.snr_db = at->second.snr_db;
      layer.cosine = at->second.cosine;
    }
  }

  progress.Stage("timing", 0);
  loader.Rewind();
  PARE_ASSIGN(const auto batch, loader.Next());
  if (!batch) return Fail(ErrorKind::kUsage, "there are no samples to compare on");
  runtime::Session* const sessions[] = {session_a.get(), session_b.get()};
  TimingOptions timing = options.timing;
  timing.progress = &progress;
  PARE_ASSIGN(const auto inputs_b, shared.Of(batch->inputs));
  const std::span<const Tensor> inputs[] = {batch->inputs, inputs_b};
  PARE_ASSIGN(comparison.time, TimeInterleaved(sessions, inputs, timing));
  for (const auto& note :
       TimingNotes(comparison.time, context.pool->threads(), context.cpu.threads()))
    progress.Note(note);
  const bool apart = AnyInteger(comparison.layers);
  if (apart) {  // others serve instead
    session_a.reset();
    session_b.reset();
  }
  PARE_ASSIGN(const Timed profile, apart
                                       ? TimeLayersApart(a.graph, b.graph, inputs, context, timing)
                                       : ProfileInterleaved(sessions, inputs, timing));
  const auto times_a = TimesByLayer(a.graph, profile.sides[0].layers);
  const auto times_b = TimesByLayer(b.graph, profile.sides[1].layers);
  for (LayerReport& layer : comparison.layers) {
    if (const auto at = times_a.find(layer.name); at != times_a.end()) layer.a_ms = at->second;
    if (const auto at = times_b.find(layer.name); at != times_b.end()) layer.b_ms = at->second;
  }
  return comparison;
}

}  // namespace pare::compress
