#include "cli/prune_run.h"

#include <algorithm>

#include "base/progress.h"
#include "compress/quantize/quantize.h"
#include "passes/pipeline.h"
#include "train/parameters.h"

namespace pare::cli {
namespace {

constexpr double kMostSeconds = 0.4;  // of a measurement that is one of many
constexpr int64_t kRangeSamples = 4;

// Progress of work that is a part of a step: only an interruption comes through.
class Unseen : public SilentProgress {
 public:
  explicit Unseen(const Progress& outer) : outer_(outer) {}
  bool cancelled() const override { return outer_.cancelled(); }

 private:
  const Progress& outer_;
};

std::vector<const graph::Graph*> Pointers(const std::vector<graph::Graph>& graphs) {
  std::vector<const graph::Graph*> pointers;
  for (const graph::Graph& graph : graphs) pointers.push_back(&graph);
  return pointers;
}

// Every third calibration sample measures what the others fit.
Status LoadSamples(PruneInputs& inputs, Console& console) {
  std::vector<int64_t> fit, probe;
  const auto& all = inputs.split.calibration;
  for (size_t i = 0; i < all.size(); ++i) (i % 3 == 2 ? probe : fit).push_back(all[i]);
  if (probe.empty()) probe = fit;
  const auto load = [&](std::vector<int64_t> indices) {
    return compress::CalibrationBatches::Load(
        inputs.dataset, model::InputSpecs(inputs.trainable.graph()), std::move(indices),
        inputs.trainable.preprocess(), console);
  };
  PARE_ASSIGN(inputs.samples.fit, load(std::move(fit)));
  PARE_ASSIGN(inputs.samples.probe, load(std::move(probe)));
  return {};
}

void MarkValues(model::Model& model) {
  graph::Graph graph = model.graph();
  graph.metadata[compress::kOutputsKey] = "values";
  model.set_graph(std::move(graph));
}

// What the model is, if nothing says it.
void NoteGuess(const PruneCommandOptions& options, const model::Model& model,
               const data::Dataset& dataset, Console& console) {
  if (dataset.has_labels() || options.values) return;
  console.Note(Text("the output is taken for the scores of ",
                    compress::ClassCount(model.graph()).value_or(0),
                    " classes (--values where it is none)"));
}

}  // namespace

Result<PruneInputs> PruneInputs::Open(const PruneCommandOptions& options, CommandFiles& files,
                                      Console& console) {
  const DataOptions& data = options.training.data;
  PruneInputs inputs;
  PARE_ASSIGN(inputs.trainable, LoadTrainable(options.model, options.training, files, console));
  PARE_ASSIGN(inputs.deployed, model::Model::Load(options.model));
  PARE_TRY(data.ApplyTo(inputs.deployed));
  if (options.values) {
    MarkValues(inputs.trainable);
    MarkValues(inputs.deployed);
  }
  PARE_ASSIGN(inputs.dataset, data.Open(inputs.deployed, console));
  files.Read(inputs.dataset->files());
  PARE_TRY(files.Check());
  NoteWeights(inputs.deployed, console);
  if (options.alpha.value_or(1) < 1) PARE_TRY(CheckHasLabels(data, *inputs.dataset));
  data::SplitOptions split{
      .calibration = options.calibration, .seed = options.training.train.seed, .limit = data.limit};
  // What verifies can't train.
  if (!options.no_recover) {
    const int64_t size = inputs.dataset->size();
    const int64_t quarter = (data.limit > 0 ? std::min(data.limit, size) : size) / 4;
    split.verification = std::clamp<int64_t>(quarter, 1, split.verification);
  }
  split.verification = options.verification.value_or(split.verification);
  PARE_ASSIGN(inputs.split, data::SplitDataset(*inputs.dataset, split));
  if (!inputs.split.note.empty()) console.Note(inputs.split.note);
  const graph::Graph& graph = inputs.deployed.graph();
  const bool classifies =
      compress::ChooseMetric(compress::Metric::kAuto, graph) == compress::Metric::kTop;
  if (options.temperature && !classifies) {
    return Fail(ErrorKind::kUsage,
                "--temperature has no effect: the model is no classifier, and is learned by values",
                "leave it out");
  }
  if (classifies) {
    PARE_TRY(
        CheckLabels(*inputs.dataset, graph, inputs.deployed.preprocess().label_offset, console));
    NoteGuess(options, inputs.deployed, *inputs.dataset, console);
  } else {
    NoteUnusedLabels(*inputs.dataset, graph, "", console);
  }
  PARE_TRY(LoadSamples(inputs, console));
  return inputs;
}

compress::PruneOptions PruneRun::how() const {
  compress::PruneOptions how = options.prune;
  how.seed = options.training.train.seed;
  how.blocks = !options.no_depth && !options.depth && how.scope == compress::PruneScope::kGlobal;
  return how;
}

Result<graph::Graph> PruneRun::Deployed(const graph::Graph& graph, SlowLayers slow) const {
  if (!options.for_int8) return graph;
  graph::Graph simple = graph;
  PARE_TRY(passes::Simplify(simple));
  compress::QuantizeOptions how;
  how.calibrator = compress::Calibrator::kMinMax;
  how.bias_correction = false;
  how.equalization = false;
  how.overflow_safe = compress::OverflowSafe::kNever;
  how.keep_slow_layers = slow == SlowLayers::kInt8;
  how.split = {.calibration = kRangeSamples, .verification = 0, .seed = 0, .limit = 0};
  Unseen unseen(console);
  PARE_ASSIGN(compress::Quantized quantized,
              compress::Quantize(simple, inputs.dataset, inputs.deployed.preprocess(), context, how,
                                 unseen));
  return std::move(quantized.graph);
}

Result<std::vector<graph::Graph>> PruneRun::Deployed(std::span<const graph::Graph* const> graphs,
                                                     SlowLayers slow) const {
  std::vector<graph::Graph> deployed;
  for (const graph::Graph* graph : graphs) {
    PARE_ASSIGN(deployed.emplace_back(), Deployed(*graph, slow));
  }
  return deployed;
}

Result<std::vector<double>> PruneRun::Times(std::span<const graph::Graph* const> graphs) const {
  PARE_ASSIGN(const auto deployed, Deployed(graphs, SlowLayers::kFloat));
  return sample.TimeForReport(Pointers(deployed), std::min(options.seconds, kMostSeconds), console);
}

Result<double> PruneRun::RelativeTime(const graph::Graph& graph, double whole_ms) const {
  const graph::Graph* const both[] = {&inputs.trainable.graph(), &graph};
  PARE_ASSIGN(const auto times, Times(both));
  return whole_ms * times[1] / times[0];
}

Result<std::vector<std::map<std::string, double>>> PruneRun::LayerTimes(
    std::span<const graph::Graph* const> graphs) const {
  PARE_ASSIGN(const auto deployed, Deployed(graphs, SlowLayers::kInt8));
  return sample.LayerTimes(Pointers(deployed), std::min(options.seconds, kMostSeconds), console);
}

}  // namespace pare::cli
