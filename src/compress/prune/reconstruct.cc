#include "compress/prune/reconstruct.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace pare::compress {
namespace {

using graph::Graph;
using graph::NodeId;
using Positions = std::vector<int64_t>;

// Layers of the whole model whose outputs are kept at a time.
constexpr size_t kLayersAtOnce = 8;

struct Task {
  LinearLayer whole, pruned;
  Positions outputs;  // of the whole layer that the pruned one has
  int64_t per_sample = 1;
  Rows y;  // of the whole layer, by batch: the outputs that are left
};

// The nodes that sum over channels of which some went.
std::set<NodeId> SummingNodes(const Channels& channels, std::span<const KeptUnits> kept) {
  std::set<NodeId> summing;
  for (const KeptUnits& units : kept) {
    const UnitGroup& group = channels.groups()[units.group];
    if (std::ssize(units.units) == group.size) continue;
    for (int consumer : group.consumers) summing.insert(channels.axes()[consumer].reader.node);
  }
  return summing;
}

// The layers that read what a removed block would have made: a value in its place, or what was
// made of it without a layer in between, all along a residual stream.
std::set<NodeId> LayersBehindGaps(const Graph& whole, const Graph& pruned) {
  std::set<NodeId> layers;
  std::set<graph::ValueId> moved;
  for (NodeId id : pruned.Order()) {
    const graph::Node& node = pruned.node(id);
    const std::vector<graph::ValueId>& before = whole.node(id).inputs;
    bool reads_other = false;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == graph::ValueId::kNone || pruned.value(node.inputs[i]).data) continue;
      reads_other |= moved.contains(node.inputs[i]) || node.inputs[i] != before[i];
    }
    if (!reads_other) continue;
    if (FindLinear(pruned, id)) {
      layers.insert(id);
    } else {
      moved.insert(node.outputs.begin(), node.outputs.end());
    }
  }
  return layers;
}

Positions OutputsThatStay(const Channels& channels,
                          const std::vector<std::optional<Positions>>& kept,
                          const LinearLayer& layer) {
  const int axis = layer.outputs_first ? 0 : 1;
  for (size_t i = 0; i < kept.size(); ++i) {
    const ChannelAxis& at = channels.axes()[i];
    if (at.reader == graph::Use{layer.node, layer.weights} && at.axis == axis && kept[i])
      return *kept[i];
  }
  Positions all(static_cast<size_t>(layer.groups * layer.outputs));
  std::iota(all.begin(), all.end(), int64_t{0});
  return all;
}

class Reconstructor {
 public:
  Reconstructor(const Graph& whole, const CalibrationBatches& calibration,
                const model::Context& context, Progress& progress, Graph& pruned)
      : whole_(whole),
        calibration_(calibration),
        context_(context),
        progress_(progress),
        pruned_(pruned) {}

  Result<Reconstruction> Run(const Channels& channels, std::span<const KeptUnits> kept);

 private:
  Status ReadOutputs(std::span<Task> tasks);
  Status Refit(Task& task);
  Result<Rows> ReadInputs(const Task& task, int64_t group);
  Result<Rows> OutputsOfGroup(const Task& task, int64_t group) const;

  const Graph& whole_;
  const CalibrationBatches& calibration_;
  const model::Context& context_;
  Progress& progress_;
  Graph& pruned_;
  Reconstruction done_;
};

Status Reconstructor::ReadOutputs(std::span<Task> tasks) {
  std::vector<graph::ValueId> values;
  for (Task& task : tasks) {
    values.push_back(task.whole.y);
    task.y.resize(calibration_.batches().size());
  }
  return calibration_.Run(whole_, values, context_, progress_,
                          [&](size_t batch, std::span<const Tensor> seen) -> Status {
                            for (size_t i = 0; i < tasks.size(); ++i) {
                              Task& task = tasks[i];
                              const RowChoice choice = calibration_.Choice(batch, task.per_sample);
                              PARE_ASSIGN(const Tensor rows, RowsOfY(task.whole, seen[i], choice));
                              if (!rows) continue;
                              PARE_ASSIGN(task.y[batch], TakePositions(rows, 1, task.outputs));
                            }
                            return {};
                          });
}

Result<Rows> Reconstructor::ReadInputs(const Task& task, int64_t group) {
  Rows rows(calibration_.batches().size());
  const graph::ValueId values[] = {task.pruned.x};
  PARE_TRY(calibration_.Run(pruned_, values, context_, progress_,
                            [&](size_t batch, std::span<const Tensor> seen) -> Status {
                              const RowChoice choice = calibration_.Choice(batch, task.per_sample);
                              PARE_ASSIGN(rows[batch],
                                          RowsOfX(pruned_, task.pruned, group, seen[0], choice));
                              return {};
                            }));
  return rows;
}

Result<Rows> Reconstructor::OutputsOfGroup(const Task& task, int64_t group) const {
  if (task.pruned.groups == 1) return task.y;
  Positions positions(static_cast<size_t>(task.pruned.outputs));
  std::iota(positions.begin(), positions.end(), group * task.pruned.outputs);
  Rows rows(task.y.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (!task.y[i]) continue;
    PARE_ASSIGN(rows[i], TakePositions(task.y[i], 1, positions));
  }
  return rows;
}

// Of y less W·x + b, in mean squares.
double ErrorOf(const Moments& moments, std::span<const double> weights,
               std::span<const double> bias) {
  double error = moments.Centred().Error(weights);
  const auto count = static_cast<double>(std::max<int64_t>(1, moments.rows));
  for (int64_t j = 0; j < moments.outputs; ++j) {
    double shift = moments.y[j] / count - (bias.empty() ? 0 : bias[j]);
    for (int64_t i = 0; i < moments.columns; ++i)
      shift -= moments.x[i] / count * weights[i * moments.outputs + j];
    error += shift * shift;
  }
  return error;
}

Status Reconstructor::Refit(Task& task) {
  const LinearLayer& layer = task.pruned;
  const FitBias has_bias = HasBias(pruned_, layer) ? FitBias::kYes : FitBias::kNo;
  const std::vector<double> old_bias = BiasOf(pruned_, layer);
  Matrix weights;
  std::vector<double> bias;
  double before = 0, after = 0, energy = 0;
  for (int64_t group = 0; group < layer.groups; ++group) {
    PARE_ASSIGN(const Rows x, ReadInputs(task, group));
    PARE_ASSIGN(const Rows y, OutputsOfGroup(task, group));
    PARE_ASSIGN(const SplitMoments moments, SumMoments(x, y, context_));
    if (moments.fit.rows == 0 || moments.fit.outputs != layer.outputs) {
      done_.skipped.push_back(pruned_.value(layer.y).name);
      return {};
    }
    const Matrix old = WeightMatrix(pruned_, layer, group);
    const std::span<const double> old_part =
        std::span(old_bias).subspan(group * layer.outputs, layer.outputs);
    const Fit fit = FitNear(moments.fit, moments.held, old, has_bias);
    const Moments all = moments.all();
    energy += all.Centred().Energy();
    before += ErrorOf(all, old, old_part);
    after += ErrorOf(all, fit.weights, has_bias == FitBias::kYes ? fit.bias : old_part);
    weights.insert(weights.end(), fit.weights.begin(), fit.weights.end());
    bias.insert(bias.end(), fit.bias.begin(), fit.bias.end());
  }
  PARE_TRY(SetLinear(pruned_, layer, weights, bias));
  energy = std::max(energy, 1e-30);
  done_.layers.push_back({pruned_.value(layer.y).name, before / energy, after / energy});
  return {};
}

Result<Reconstruction> Reconstructor::Run(const Channels& channels,
                                          std::span<const KeptUnits> kept) {
  PARE_ASSIGN(const auto positions, KeptPositions(channels, kept));
  std::set<NodeId> to_fit = SummingNodes(channels, kept);
  to_fit.merge(LayersBehindGaps(whole_, pruned_));
  std::vector<Task> tasks;
  for (NodeId id : pruned_.Order()) {
    if (!to_fit.contains(id)) continue;
    const auto whole = FindLinear(whole_, id), pruned = FindLinear(pruned_, id);
    if (!whole || !pruned) {
      done_.skipped.push_back(whole_.value(whole_.node(id).outputs[0]).name);
      continue;
    }
    tasks.push_back(
        {.whole = *whole,
         .pruned = *pruned,
         .outputs = OutputsThatStay(channels, positions, *whole),
         .per_sample = calibration_.PlacesFor(pruned->columns, whole->groups * whole->outputs),
         .y = {}});
  }
  progress_.Stage("fitting layers", std::ssize(tasks));
  for (size_t first = 0; first < tasks.size(); first += kLayersAtOnce) {
    const auto some =
        std::span(tasks).subspan(first, std::min(kLayersAtOnce, tasks.size() - first));
    PARE_TRY(ReadOutputs(some));
    for (Task& task : some) {
      PARE_TRY(Refit(task));
      task.y.clear();
      progress_.Advance(1);
    }
  }
  return std::move(done_);
}

}  // namespace

Result<Reconstruction> Reconstruct(const Graph& whole, const Channels& channels,
                                   std::span<const KeptUnits> kept,
                                   const CalibrationBatches& calibration,
                                   const model::Context& context, Progress& progress,
                                   Graph& pruned) {
  return Reconstructor(whole, calibration, context, progress, pruned).Run(channels, kept);
}

}  // namespace pare::compress
