// How good outputs are: against labels, and against the outputs of another model.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "compress/class_loss.h"
#include "compress/proportion.h"
#include "data/loader.h"
#include "runtime/session.h"

namespace pare::compress {

// Metadata of a model whose outputs were trained to be values: "values". They are no scores of
// classes, whatever their shape.
inline constexpr const char* kOutputsKey = "pare.outputs";

enum class Metric : uint8_t {
  kAuto,    // mse where the outputs are known to be values, or one number a sample; top where the
            // only output is [batch, classes ≥ 2], else cosine
  kTop,     // top-1, top-5, agreement
  kCosine,  // mean over samples of the cosine of all outputs
  kMse,     // mean squared difference
  kPsnr,    // dB, of the reference's range
};
Result<Metric> ParseMetric(std::string_view name);
std::string_view MetricName(Metric metric);
// How many classes the graph's first output scores, where it is [batch, classes ≥ 2, 1…].
std::optional<int64_t> ClassCount(const graph::Graph& graph);
// Fails (kUsage) at the first sample whose label + `offset` is none of the classes that the first
// output scores.
Status CheckLabelRange(const data::Dataset& dataset, const graph::Graph& graph, int64_t offset);
// What kAuto stands for with this graph.
Metric ChooseMetric(Metric metric, const graph::Graph& graph);
// What is measured where values are known that the first output shall be: kAuto is kMse then.
inline Metric MetricWithTargets(Metric metric, bool targets) {
  return targets && metric == Metric::kAuto ? Metric::kMse : metric;
}
// Fails (kUsage) where the metric can tell nothing of the graph's outputs.
Status CheckMetric(Metric metric, const graph::Graph& graph);
// Fails where the first of what a model answered holds no score for each of several classes.
Status CheckScores(std::span<const Tensor> outputs);

// Turns outputs of other float types into float32, which is what scores are made from.
Status ToF32(std::span<Tensor> outputs);

// Counts right answers of a classifier, row by row. A row with a NaN is never right.
class LabelScore {
 public:
  // `scores` is [rows, classes, 1…]; of the labels only the first `rows` count; negative ones
  // don't.
  void Add(const Tensor& scores, std::span<const int64_t> labels, int64_t rows);
  int64_t labelled() const { return std::ssize(right_); }
  const std::vector<bool>& right() const { return right_; }  // of each labelled sample
  int64_t not_finite() const { return not_finite_; }         // labelled rows with a NaN or infinity
  std::optional<double> top1() const;                        // percent; nullopt without labels
  std::optional<double> top5() const;                        // of more than five classes
  std::optional<Bounds> top1_bounds() const;
  // Of the change of top-1 to `after`, which has seen the same samples.
  std::optional<Bounds> top1_change_bounds(const LabelScore& after) const;

 private:
  std::vector<bool> right_;
  int64_t first_ = 0, in_five_ = 0, not_finite_ = 0;
  bool of_more_than_five_ = false;
};

// Compares the outputs of a model with those of a reference, sample by sample. Elements that are
// not finite in the reference can't be compared and are left out; where they are so in the other
// model alone, the sample's cosine is 0 and differences are not finite.
class PairScore {
 public:
  // Fails where the models have different numbers of outputs.
  Status Add(std::span<const Tensor> reference, std::span<const Tensor> other, int64_t rows);
  void Merge(const PairScore& other);
  int64_t count() const { return count_; }
  // Percent of rows whose largest first output is at the same place; rows with a NaN never agree.
  double agreement() const;
  Bounds agreement_bounds() const { return ShareBounds(agreeing(), count_); }
  // Of each row, in the order of Add, as agreement() counts them; merged ones behind.
  const std::vector<bool>& agrees() const { return agrees_; }
  // Nothing where no element could be compared.
  std::optional<double> cosine() const;  // mean over the samples
  std::optional<double> mse() const;
  std::optional<double> psnr() const;  // of the reference's range, dB; infinite where equal
  // Samples with outputs that are NaN or infinite.
  int64_t not_finite_reference() const { return not_finite_reference_; }
  int64_t not_finite_other() const { return not_finite_other_; }
  // Σ (other − reference)² / Σ reference² of each output, the mean of these: what the choice
  // between quantizations goes by; of several outputs each counts 1 at most. The largest double
  // where nothing could be compared, or a difference is not finite.
  double relative_error() const;
  // The same in dB: the larger, the nearer; 200 at most.
  double snr() const;

 private:
  int64_t agreeing() const;

  int64_t count_ = 0;
  std::vector<bool> agrees_;
  int64_t samples_ = 0, values_ = 0;  // that were compared
  int64_t not_finite_reference_ = 0, not_finite_other_ = 0;
  double cosine_sum_ = 0;
  struct Energy {
    double difference = 0, reference = 0;  // squared
    bool compared = false;                 // any value of this output
  };
  std::vector<Energy> energies_;  // by output
  float low_ = 0, high_ = 0;
};

bool IsKnownError(double relative);  // of relative_error(): whether it is less than the largest

struct Evaluation {
  std::optional<double> top1, top5;
  std::optional<Bounds> top1_bounds;
  std::vector<bool> right;  // top-1 of each labelled sample
  int64_t count = 0;
  double seconds = 0;
};

// Runs the session over the loader's samples; their loss is added to `loss`, where it is given.
Result<Evaluation> Evaluate(runtime::Session& session, data::Loader& loader, Progress& progress,
                            ClassLoss* loss = nullptr);

}  // namespace pare::compress
