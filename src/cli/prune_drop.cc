#include "cli/prune_drop.h"

#include <algorithm>
#include <cmath>

#include "cli/prune_keep.h"
#include "cli/prune_recover.h"
#include "cli/text.h"
#include "compress/compare.h"
#include "onnx/export.h"
#include "passes/pipeline.h"

namespace pare::cli {
namespace {

constexpr int kTrials = 6;
constexpr double kLeastPart = 0.1;  // of the time: less is not tried

struct Halves {
  std::vector<int64_t> steering, unseen;
};

Halves Divide(const std::vector<int64_t>& verification, Console& console) {
  Halves halves;
  const bool few = std::ssize(verification) < compress::kFewSamples;
  for (size_t i = 0; i < verification.size(); ++i) {
    if (few || i % 2 == 0) halves.steering.push_back(verification[i]);
    if (few || i % 2 == 1) halves.unseen.push_back(verification[i]);
  }
  if (few)
    console.Note(Text("with ", verification.size(), " verification samples, fewer than ",
                      compress::kFewSamples,
                      ", the cut was chosen by the same ones that verify: others may lose more"));
  return halves;
}

class DropSearch {
 public:
  DropSearch(const PruneRun& run, Halves halves, std::unique_ptr<runtime::Session> whole)
      : run_(run),
        limit_(*run.options.max_drop),
        halves_(std::move(halves)),
        whole_(std::move(whole)) {}

  Result<HeldCut> Run() {
    double fails = kLeastPart, holds = 1;
    for (int trial = 0; trial < kTrials; ++trial) {
      const double part = (fails + holds) / 2;
      PARE_ASSIGN(const bool held, Try(part));
      (held ? holds : fails) = part;
    }
    if (!best_) return Fail(Unmet());
    best_->verification = std::move(halves_.unseen);
    return *std::move(best_);
  }

 private:
  // Whether a cut to that part holds; it is written then.
  Result<bool> Try(double part) {
    const TrainingOptions training =
        StepTraining(run_.options.training, Text("part-", Fixed(100 * part, 2)));
    auto cut = KeepCut(run_, training.train, [&] { return CutToPart(part); });
    if (!cut && cut.error().kind() == ErrorKind::kUnmet) return false;  // it can't be so small
    if (!cut) return Interrupted(std::move(cut.error()));
    HeldCut tried{.cut = *std::move(cut), .recovery = {}, .verification = {}};
    if (!run_.options.no_recover) {
      auto recovered = Recover(run_, tried.cut.graph, training);
      if (!recovered) return Interrupted(std::move(recovered.error()));
      tried.cut.graph = std::move(recovered->trained.graph);
      tried.recovery.emplace(*std::move(recovered));
    }
    auto held = Holds(tried.cut.graph);
    if (!held) return Interrupted(std::move(held.error()));
    run_.console.Detail(Text(Fixed(100 * part, 1), " % of the model: ", Fixed(drop_, 2),
                             " points are lost", *held ? "" : ", too many"));
    if (!*held) return false;
    if (run_.options.no_recover) PARE_TRY(DescribeCut(run_, tried.cut.graph));
    PARE_TRY(onnx::Export(tried.cut.graph, run_.options.training.output));
    best_.emplace(std::move(tried));
    return true;
  }

  // Judging is for cuts that are not kept.
  Result<CutModel> CutToPart(double part) {
    if (!cutter_) {
      PARE_ASSIGN(cutter_, Cutter::Make(run_, run_.inputs.trainable.graph()));
    }
    return cutter_->ToPart(part);
  }

  Result<bool> Holds(const graph::Graph& graph) {
    PARE_ASSIGN(drop_, DropOf(graph, halves_.steering));
    least_ = std::min(least_, drop_);
    if (!(drop_ <= limit_)) return false;
    PARE_ASSIGN(drop_, DropOf(graph, halves_.unseen));
    return drop_ <= limit_;
  }

  Result<double> DropOf(const graph::Graph& graph, const std::vector<int64_t>& samples) {
    graph::Graph simple = graph;
    PARE_TRY(passes::Simplify(simple));
    PARE_ASSIGN(const auto session, model::MakeSession(simple, run_.context));
    PARE_ASSIGN(
        data::Loader loader,
        data::Loader::Make(
            run_.inputs.dataset, model::InputSpecs(whole_->graph()), samples,
            {.batch = 1, .preprocess = run_.inputs.deployed.preprocess(), .prefetch = true}));
    PARE_ASSIGN(
        const compress::Quality quality,
        compress::CompareQuality(*whole_, *session, loader, compress::Metric::kAuto, run_.console));
    return quality.drop().value_or(100);
  }

  // An interruption leaves the best so far.
  Result<bool> Interrupted(Error error) const {
    if (error.kind() != ErrorKind::kCancelled || !best_) return Fail(std::move(error));
    return Fail(Error(ErrorKind::kCancelled, "interrupted", "the smallest cut so far was written")
                    .at(run_.options.training.output));
  }

  Error Unmet() const {
    return Error(
        ErrorKind::kUnmet,
        Text("--max-drop ", limit_, " can't be held: no cut that was tried loses so little",
             std::isfinite(least_) ? Text(" (the best one ", Fixed(least_, 2), " points)") : ""),
        run_.options.no_recover ? "a larger --max-drop, or training (without --no-recover)"
                                : "a larger --max-drop, or more --epochs");
  }

  const PruneRun& run_;
  const double limit_;
  Halves halves_;
  std::unique_ptr<runtime::Session> whole_;
  std::unique_ptr<Cutter> cutter_;
  std::optional<HeldCut> best_;
  double drop_ = 0;  // of the last one that was looked at
  double least_ = INFINITY;
};

}  // namespace

Result<HeldCut> HoldMaxDrop(const PruneRun& run) {
  const graph::Graph& model = run.inputs.deployed.graph();
  if (compress::ChooseMetric(compress::Metric::kAuto, model) != compress::Metric::kTop) {
    return Fail(
        ErrorKind::kUsage,
        "--max-drop counts points of top-1 or of agreement, and this model is no classifier",
        "--target-macs, --target-size and --target-latency say how small it shall be");
  }
  PARE_ASSIGN(auto whole, model::MakeSession(model, run.context));
  return DropSearch(run, Divide(run.inputs.split.verification, run.console), std::move(whole))
      .Run();
}

}  // namespace pare::cli
