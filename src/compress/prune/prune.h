// Structured pruning: a smaller graph of the same operators, cut where that costs least.
//
//   graph → groups (groups.h) → what each unit's removal loses (importance.h, elimination.h)
//         → widths within a target (plan.h) → removal (remove.h) → least squares (reconstruct.h)
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compress/prune/calibration.h"
#include "compress/prune/depth.h"
#include "compress/prune/importance.h"
#include "compress/prune/plan.h"
#include "compress/prune/reconstruct.h"

namespace pare::compress {

enum class PruneScope : uint8_t {
  kGlobal,  // greedy over all groups
  kLayer,   // the same part of each
};

struct PruneOptions {
  Importance importance = Importance::kReconstruction;
  PruneScope scope = PruneScope::kGlobal;
  bool allow_inexact = false;  // cut groups whose removal can't be exact, too
  bool portable = true;        // widths that other engines like as well
  // Whole residual blocks go, too, where that is the better buy; only where samples judge: all is
  // measured at the outputs then.
  bool blocks = false;
  std::vector<std::string> keep;  // patterns of layers that keep their width
  uint64_t seed = 0;              // of random importance
};

// A group that weights make, as --list shows it.
struct PruneGroup {
  int group = -1;        // its index in Channels::groups
  std::string name;      // the first layer that makes its channels
  int64_t size = 0;      // units
  int64_t after = 0;     // units that stay; `size` before a cut
  int64_t channels = 1;  // of a unit
  int producers = 0, consumers = 0;
  bool prunable = false;
  std::string why_not;  // where it is not, or stays by an option
  bool exact = true;
  std::string why_inexact;  // where it is not
};
// All of them in the order of the network. Refuses quantized models, and a pattern of `keep` that
// names no layer.
Result<std::vector<PruneGroup>> ListGroups(const graph::Graph& model, const Channels& channels,
                                           const PruneOptions& options);
// Those that may be cut, with their widths; the reasons of the others are completed in `groups`.
// Fails (kUsage) where there is none.
Result<std::vector<PruneCandidate>> CandidatesOf(std::vector<PruneGroup>& groups,
                                                 const PruneOptions& options);

struct Pruned {
  graph::Graph graph;
  std::vector<PruneGroup> groups;
  Widths widths;  // of groups, then how many blocks are left that could go
  std::vector<std::string> removed_blocks;  // by the names of their sums, in the order they went
  double cost = 0;                          // as it was measured
  std::vector<KeptUnits> kept;

  bool whole() const;  // nothing went
};

// Unlabelled samples, in memory.
struct PruneSamples {
  CalibrationBatches fit;    // that layers are read and fitted on
  CalibrationBatches probe;  // others, that losses are measured on
};

// What a graph really costs.
using GraphCost = FunctionRef<Result<double>(const graph::Graph&)>;

// A model (loaded with train::kTrainable) whose groups are judged once and cut as often as one
// likes. It refers to what it is made from.
class Pruner {
 public:
  // `samples` may be null where the importance needs none.
  static Result<Pruner> Make(const graph::Graph& model, const PruneOptions& options,
                             const PruneSamples* samples, const model::Context& context,
                             Progress& progress);

  const Channels& channels() const { return channels_; }
  const std::vector<PruneCandidate>& candidates() const { return candidates_; }
  const BlockOrder& blocks() const { return blocks_; }

  // The graph with at most `target` of the cost, weights as they were.
  Result<Pruned> Cut(const PlanCosts& costs, double target) const;
  // Cuts until the graph's real cost is at most `limit`, and near to it. Fails (kUnmet) where no
  // cut is. Times vary: where the graph is known to cost more than the limit, it is no answer as it
  // is, whatever one measurement says.
  enum class Uncut : uint8_t { kMayDo, kIsNoAnswer };
  Result<Pruned> CutTo(const PlanCosts& costs, double limit, GraphCost cost, Uncut uncut,
                       Progress& progress) const;
  // Fits the layers behind the cuts of `pruned` to what those of `whole` give: the model, or the
  // one that it is without some blocks (nodes keep their ids).
  Result<Reconstruction> Refit(const graph::Graph& whole, Pruned& pruned,
                               const CalibrationBatches& calibration, const model::Context& context,
                               Progress& progress) const;

 private:
  Pruner(const graph::Graph& model, const PruneOptions& options)
      : model_(&model), options_(options), channels_(Channels::Of(model)) {}

  void JudgeByWeights(PruneCandidate& candidate, Progress& progress);
  Status JudgeBySamples(const PruneSamples& samples, const model::Context& context,
                        Progress& progress);
  Status JudgeByLayers(const PruneSamples& samples, const OutputError& error,
                       const model::Context& context, Progress& progress);
  Status JudgeByGradients(const PruneSamples& samples, const model::Context& context,
                          Progress& progress);
  void JudgeUnread(PruneCandidate& candidate, Progress& progress);
  ChannelCosts WithBlocks(const ChannelCosts& costs) const;

  const graph::Graph* model_;
  PruneOptions options_;
  Channels channels_;
  std::vector<PruneGroup> groups_;  // listed
  std::vector<PruneCandidate> candidates_;
  BlockOrder blocks_;
};

}  // namespace pare::compress
