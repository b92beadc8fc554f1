#include "compress/prune/judge.h"

#include <algorithm>
#include <cmath>

namespace pare::compress {
namespace {

using graph::Graph;

// Parts of a group that are left where losses are measured.
constexpr double kMeasuredParts[] = {7.0 / 8, 1.0 / 2};

constexpr double kLeastSlope = 0.1;

// A layer that sums over a group's channels, with its columns by unit.
struct Summing {
  LinearLayer layer;
  std::vector<std::vector<int64_t>> columns;
};

std::vector<Summing> SummingOf(const Graph& model, const Channels& channels, int group) {
  std::vector<Summing> all;
  for (int consumer : channels.groups()[group].consumers) {
    const ChannelAxis& axis = channels.axes()[consumer];
    const auto layer = FindLinear(model, axis.reader.node);
    if (!layer || axis.reader.input != layer->weights) continue;
    Summing summing{*layer, {}};
    summing.columns.resize(static_cast<size_t>(channels.groups()[group].size));
    const int64_t width = layer->columns / axis.size;  // taps of a window
    const auto units = channels.units(consumer);
    for (int64_t i = 0; i < axis.size; ++i) {
      if (units[i].group != group) continue;
      for (int64_t tap = 0; tap < width; ++tap)
        summing.columns[units[i].index].push_back(i * width + tap);
    }
    all.push_back(std::move(summing));
  }
  return all;
}

// One for each group of each convolution, with the moments of their inputs on the samples; empty
// where some layer's inputs are not seen sample by sample.
Result<std::vector<SummingLayer>> ReadLayers(const Graph& model, const std::vector<Summing>& all,
                                             const CalibrationBatches& calibration,
                                             const model::Context& context, Progress& progress) {
  int64_t width = 0, widest = 0;
  std::vector<graph::ValueId> values;
  std::vector<std::vector<Rows>> rows;  // by layer and group of a convolution
  for (const Summing& summing : all) {
    const LinearLayer& layer = summing.layer;
    width += layer.groups * layer.columns;
    widest = std::max(widest, layer.columns);
    values.push_back(layer.x);
    rows.emplace_back(static_cast<size_t>(layer.groups), Rows(calibration.batches().size()));
  }
  const int64_t per_sample = calibration.PlacesFor(widest, width);
  PARE_TRY(calibration.Run(
      model, values, context, progress, [&](size_t batch, std::span<const Tensor> seen) -> Status {
        const RowChoice choice = calibration.Choice(batch, per_sample);
        for (size_t i = 0; i < all.size(); ++i) {
          for (int64_t g = 0; g < all[i].layer.groups; ++g) {
            PARE_ASSIGN(rows[i][g][batch], RowsOfX(model, all[i].layer, g, seen[i], choice));
          }
        }
        return {};
      }));
  std::vector<SummingLayer> layers;
  for (size_t i = 0; i < all.size(); ++i) {
    for (int64_t g = 0; g < all[i].layer.groups; ++g) {
      PARE_ASSIGN(const SplitMoments moments, SumMoments(rows[i][g], {}, context));
      rows[i][g].clear();
      if (moments.fit.rows == 0) return std::vector<SummingLayer>();
      layers.push_back({.x = moments.all(),
                        .weights = WeightMatrix(model, all[i].layer, g),
                        .bias = HasBias(model, all[i].layer),
                        .columns = all[i].columns});
    }
  }
  return layers;
}

// The model with these weights in the layers that sum over the group.
Result<Graph> WithWeights(const Graph& model, const std::vector<Summing>& all,
                          const std::vector<SummingLayer>& layers,
                          const std::vector<Matrix>& weights) {
  Graph changed = model;
  size_t next = 0;
  for (const Summing& summing : all) {
    const LinearLayer& layer = summing.layer;
    Matrix joined;
    std::vector<double> bias = BiasOf(changed, layer);
    for (int64_t g = 0; g < layer.groups; ++g, ++next) {
      joined.insert(joined.end(), weights[next].begin(), weights[next].end());
      const auto shift = BiasShift(layers[next], weights[next]);
      for (int64_t j = 0; j < layer.outputs; ++j) bias[g * layer.outputs + j] += shift[j];
    }
    if (!HasBias(changed, layer)) bias.clear();
    PARE_TRY(SetLinear(changed, layer, joined, bias));
  }
  return changed;
}

// A loss of the layers → one of the outputs: through 0 and the measured points, straight between
// them and as the last two beyond.
class Scale {
 public:
  void Add(double own, double measured) {
    const auto [x, y] = points_.back();
    if (own <= x) return;
    // By chance the outputs may lose no more than before; the layers do.
    const double least = x > 0 ? y + kLeastSlope * y / x * (own - x) : kLeastSlope * own;
    points_.push_back({own, std::max(measured, least)});
  }
  double operator()(double own) const {
    if (points_.size() < 2) return own;
    size_t i = 1;
    while (i + 1 < points_.size() && own > points_[i].first) ++i;
    const auto [x0, y0] = points_[i - 1];
    const auto [x1, y1] = points_[i];
    return y0 + (own - x0) * (y1 - y0) / (x1 - x0);
  }

 private:
  std::vector<std::pair<double, double>> points_{{0, 0}};
};

}  // namespace

std::vector<int64_t> CountsNear(std::span<const double> parts, const std::vector<int64_t>& widths) {
  std::vector<int64_t> counts;
  for (double part : parts) {
    const double asked = part * static_cast<double>(widths[0]);
    const int64_t width = *std::ranges::min_element(
        widths, {}, [&](int64_t w) { return std::abs(static_cast<double>(w) - asked); });
    const int64_t count = widths[0] - width;
    if (count > 0 && (counts.empty() || count > counts.back())) counts.push_back(count);
  }
  return counts;
}

Result<std::optional<JudgedGroup>> Judge::Eliminate(JudgeBy by, int group, int64_t gone,
                                                    std::vector<int64_t> counts,
                                                    Progress& progress) const {
  const auto all = SummingOf(*model_, *channels_, group);
  if (all.empty()) return std::optional<JudgedGroup>();
  PARE_ASSIGN(const auto layers, ReadLayers(*model_, all, *fit_, *context_, progress));
  if (layers.empty()) return std::optional<JudgedGroup>();
  const int64_t units = channels_->groups()[group].size;
  const bool affordable = std::ranges::all_of(
      layers, [](const SummingLayer& layer) { return layer.x.columns <= kMostColumns; });
  JudgedGroup judged{.elimination = by == JudgeBy::kLeastSquares && affordable
                                        ? EliminateByLeastSquares(layers, units, gone, counts)
                                        : EliminateByContribution(layers, units, counts),
                     .counts = std::move(counts),
                     .without = {}};
  for (const auto& weights : judged.elimination.weights) {
    PARE_ASSIGN(judged.without.emplace_back(), WithWeights(*model_, all, layers, weights));
  }
  judged.elimination.weights.clear();
  return std::optional(std::move(judged));
}

Result<bool> Judge::Fill(JudgeBy by, PruneCandidate& candidate, Progress& progress) const {
  const auto& widths = candidate.widths;
  PARE_ASSIGN(auto judged, Eliminate(by, candidate.group, widths[0] - widths.back(),
                                     CountsNear(kMeasuredParts, widths), progress));
  if (!judged) return false;
  Scale scale;
  for (size_t i = 0; i < judged->counts.size(); ++i) {
    PARE_ASSIGN(const PairScore score, error_->Compare(judged->without[i], progress));
    scale.Add(judged->elimination.loss[judged->counts[i]], score.relative_error());
  }
  candidate.order = std::move(judged->elimination.order);
  candidate.loss.clear();
  for (double loss : judged->elimination.loss) candidate.loss.push_back(scale(loss));
  return true;
}

}  // namespace pare::compress
