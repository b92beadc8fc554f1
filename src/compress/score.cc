#include "compress/score.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "compress/for_each_answer.h"
#include "compress/row.h"
#include "graph/text.h"
#include "platform/clock.h"

namespace pare::compress {
namespace {

constexpr std::string_view kNames[] = {"auto", "top", "cosine", "mse", "psnr"};

int64_t ArgMax(std::span<const float> row) {
  return std::max_element(row.begin(), row.end()) - row.begin();
}

bool HasNan(std::span<const float> row) {
  return std::any_of(row.begin(), row.end(), [](float v) { return std::isnan(v); });
}
bool AllFinite(std::span<const float> row) {
  return std::all_of(row.begin(), row.end(), [](float v) { return std::isfinite(v); });
}

// Sums over two rows' elements that are finite in the first.
struct PairSums {
  double dot = 0, aa = 0, bb = 0;
  int64_t values = 0;

  // 1 where both are all zeros; 0 where the second holds what is no number.
  double cosine() const {
    if (aa == 0 && bb == 0) return 1;
    const double cosine = dot / std::max(std::sqrt(aa) * std::sqrt(bb), 1e-30);
    return std::isfinite(cosine) ? cosine : 0;
  }
};

// [batch, classes], maybe with dimensions of 1 between or behind.
bool ScoresClasses(const Tensor& tensor) {
  if (tensor.dtype() != DType::kF32 || tensor.rank() < 2) return false;
  const auto larger = [](int64_t size) { return size > 1; };
  return std::count_if(tensor.shape().begin() + 1, tensor.shape().end(), larger) == 1;
}

// As far as its type tells.
bool MayScoreClasses(const graph::TensorType& type) {
  if (type.dtype != DType::kNone && !IsFloat(type.dtype)) return false;
  if (!type.has_rank()) return true;
  if (type.rank() < 2) return false;
  int64_t larger = 0, free = 0;
  for (const graph::Dim dim : std::span(*type.shape).subspan(1)) {
    free += !dim.known();
    larger += dim.known() && dim.size() > 1;
  }
  return larger == 1 || (larger == 0 && free > 0);
}

// The cosine of one number is its sign.
bool OneNumber(const graph::Graph& graph) {
  if (graph.outputs().size() != 1) return false;
  const graph::TensorType& type = graph.value(graph.outputs()[0].value).type;
  return IsFloat(type.dtype) && type.has_rank() && type.rank() > 0 &&
         std::all_of(type.shape->begin() + 1, type.shape->end(),
                     [](graph::Dim dim) { return dim == graph::Dim(1); });
}

double Percent(int64_t part, int64_t whole) {
  return whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

Result<Metric> ParseMetric(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<Metric>(i);
  }
  return Fail(ErrorKind::kUsage, Text("there is no metric \"", name, "\""),
              "auto, top, cosine, mse and psnr are there");
}

std::string_view MetricName(Metric metric) { return kNames[static_cast<int>(metric)]; }

std::optional<int64_t> ClassCount(const graph::Graph& graph) {
  if (graph.outputs().empty()) return std::nullopt;
  const graph::TensorType& type = graph.value(graph.outputs()[0].value).type;
  if (!IsFloat(type.dtype) || !type.has_rank() || type.rank() < 2) return std::nullopt;
  const graph::Shape& shape = *type.shape;
  const bool flat = std::all_of(shape.begin() + 2, shape.end(),
                                [](graph::Dim dim) { return dim == graph::Dim(1); });
  if (!flat || !shape[1].known() || shape[1].size() < 2) return std::nullopt;
  return shape[1].size();
}

Status CheckLabelRange(const data::Dataset& dataset, const graph::Graph& graph, int64_t offset) {
  const auto classes = ClassCount(graph);
  if (!classes || !dataset.has_labels()) return {};
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const int64_t label = dataset.label(i), moved = label + offset;
    if (label == data::kNoLabel || (moved >= 0 && moved < *classes)) continue;
    const std::string number = offset == 0 ? Text(label) : Text(label, " + ", offset);
    return Fail(Error(ErrorKind::kUsage,
                      Text("its label ", number, " is none of the model's ", *classes,
                           " classes (0…", *classes - 1, ")"),
                      moved == *classes && offset == 0 && !dataset.classes_sorted()
                          ? "where the labels count from 1, give --label-offset -1"
                          : "check the labels and --label-offset")
                    .at(dataset.SampleName(i)));
  }
  return {};
}

Status CheckMetric(Metric metric, const graph::Graph& graph) {
  if (metric != Metric::kTop || graph.outputs().empty()) return {};
  const graph::TensorType& type = graph.value(graph.outputs()[0].value).type;
  if (MayScoreClasses(type)) return {};
  return Fail(ErrorKind::kUsage,
              Text("--metric top needs a score for each of several classes, and the model's first "
                   "output is ",
                   graph::TypeText(type, graph.symbols())),
              OneNumber(graph) ? "mse and psnr measure one number"
                               : "leave it out: cosine, mse and psnr measure any output");
}

Status CheckScores(std::span<const Tensor> outputs) {
  if (!outputs.empty() && ScoresClasses(outputs[0])) return {};
  return Unsupported("the model is no classifier: its first output holds no score for each class",
                     "`pare compare` measures other models by --metric cosine, mse or psnr");
}

Metric ChooseMetric(Metric metric, const graph::Graph& graph) {
  if (metric != Metric::kAuto) return metric;
  if (OneNumber(graph) || graph.metadata.contains(kOutputsKey)) return Metric::kMse;
  if (graph.outputs().size() != 1 || !ClassCount(graph)) return Metric::kCosine;
  if (graph.inputs().empty()) return Metric::kTop;
  // An autoencoder's output has the shape of its input, and no classes.
  const graph::TensorType& input = graph.value(graph.inputs()[0]).type;
  const graph::TensorType& output = graph.value(graph.outputs()[0].value).type;
  return input.shape == output.shape ? Metric::kCosine : Metric::kTop;
}

Status ToF32(std::span<Tensor> outputs) {
  for (Tensor& output : outputs) {
    if (!IsFloat(output.dtype()) || output.dtype() == DType::kF32) continue;
    PARE_ASSIGN(output, Cast(output, DType::kF32));
  }
  return {};
}

void LabelScore::Add(const Tensor& scores, std::span<const int64_t> labels, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
    const std::span<const float> row = RowOf(scores, r);
    const int64_t label = labels[r];
    if (label < 0) continue;
    of_more_than_five_ = row.size() > 5;
    right_.push_back(false);
    if (label >= static_cast<int64_t>(row.size())) continue;
    const float own = row[label];
    not_finite_ += !AllFinite(row);
    if (HasNan(row)) continue;
    int64_t before = 0;  // how many rank higher; of equals the first, as argmax does
    for (int64_t i = 0; i < static_cast<int64_t>(row.size()); ++i) {
      before += row[i] > own || (row[i] == own && i < label);
    }
    right_.back() = before == 0;
    first_ += before == 0;
    in_five_ += before < 5;
  }
}

std::optional<double> LabelScore::top1() const {
  return labelled() ? std::optional(Percent(first_, labelled())) : std::nullopt;
}
std::optional<double> LabelScore::top5() const {
  return labelled() && of_more_than_five_ ? std::optional(Percent(in_five_, labelled()))
                                          : std::nullopt;
}
std::optional<Bounds> LabelScore::top1_bounds() const {
  return labelled() ? std::optional(ShareBounds(first_, labelled())) : std::nullopt;
}

std::optional<Bounds> LabelScore::top1_change_bounds(const LabelScore& after) const {
  return ChangeBounds(right_, after.right_);
}

Status PairScore::Add(std::span<const Tensor> reference, std::span<const Tensor> other,
                      int64_t rows) {
  if (reference.size() != other.size()) {
    return Fail(ErrorKind::kUsage,
                Text("the models have ", reference.size(), " and ", other.size(),
                     " outputs and can't be compared"),
                "`pare inspect` lists the outputs");
  }
  energies_.resize(reference.size());
  for (int64_t r = 0; r < rows; ++r) {
    PairSums sums;
    bool finite_a = true, finite_b = true;
    for (size_t o = 0; o < reference.size(); ++o) {
      if (reference[o].dtype() != DType::kF32 || other[o].dtype() != DType::kF32) continue;
      const auto a = RowOf(reference[o], r), b = RowOf(other[o], r);
      double row_energy = 0;
      finite_a = finite_a && AllFinite(a);
      finite_b = finite_b && AllFinite(b);
      for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
        if (!std::isfinite(a[i])) continue;  // nothing can be near it, or far
        ++sums.values;
        sums.dot += static_cast<double>(a[i]) * b[i];
        sums.aa += static_cast<double>(a[i]) * a[i];
        sums.bb += static_cast<double>(b[i]) * b[i];
        const double difference = static_cast<double>(a[i]) - b[i];
        energies_[o].difference += difference * difference;
        energies_[o].compared = true;
        row_energy += static_cast<double>(a[i]) * a[i];
        low_ = std::min(low_, a[i]);
        high_ = std::max(high_, a[i]);
      }
      energies_[o].reference += row_energy;
      if (o == 0)
        agrees_.push_back(!a.empty() && !HasNan(a) && !HasNan(b) && ArgMax(a) == ArgMax(b));
    }
    not_finite_reference_ += !finite_a;
    not_finite_other_ += !finite_b;
    values_ += sums.values;
    if (sums.values > 0) {
      cosine_sum_ += sums.cosine();
      ++samples_;
    }
    ++count_;
  }
  return {};
}

void PairScore::Merge(const PairScore& other) {
  count_ += other.count_;
  agrees_.insert(agrees_.end(), other.agrees_.begin(), other.agrees_.end());
  samples_ += other.samples_;
  values_ += other.values_;
  not_finite_reference_ += other.not_finite_reference_;
  not_finite_other_ += other.not_finite_other_;
  cosine_sum_ += other.cosine_sum_;
  energies_.resize(std::max(energies_.size(), other.energies_.size()));
  for (size_t o = 0; o < other.energies_.size(); ++o) {
    energies_[o].difference += other.energies_[o].difference;
    energies_[o].reference += other.energies_[o].reference;
    energies_[o].compared |= other.energies_[o].compared;
  }
  low_ = std::min(low_, other.low_);
  high_ = std::max(high_, other.high_);
}

int64_t PairScore::agreeing() const { return std::ranges::count(agrees_, true); }
double PairScore::agreement() const { return Percent(agreeing(), count_); }
std::optional<double> PairScore::cosine() const {
  if (samples_ == 0) return std::nullopt;
  return cosine_sum_ / static_cast<double>(samples_);
}
std::optional<double> PairScore::mse() const {
  if (values_ == 0) return std::nullopt;
  double difference = 0;
  for (const Energy& energy : energies_) difference += energy.difference;
  return difference / static_cast<double>(values_);
}
std::optional<double> PairScore::psnr() const {
  const auto error = mse();
  if (!error) return std::nullopt;
  const double range = static_cast<double>(high_) - low_;
  return *error == 0 ? INFINITY : 10 * std::log10(range * range / *error);
}
double PairScore::relative_error() const {
  double all = 0, error = 0;
  int outputs = 0;
  for (const Energy& energy : energies_) {
    all += energy.reference;
    outputs += energy.compared;
  }
  for (const Energy& energy : energies_) {
    if (!std::isfinite(energy.difference)) return std::numeric_limits<double>::max();
    // An output that is zero says nothing of what would be much in it.
    const double reference = energy.reference > 0 ? energy.reference : all;
    const double part = energy.difference / std::max(reference, 1e-30);
    // What is all but zero, and wrong as a whole, is not to decide alone.
    error += outputs > 1 ? std::min(part, 1.0) : part;
  }
  error /= std::max(outputs, 1);
  return std::isfinite(error) && (values_ > 0 || count_ == 0) ? error
                                                              : std::numeric_limits<double>::max();
}

bool IsKnownError(double relative) { return relative < std::numeric_limits<double>::max(); }

double PairScore::snr() const {
  return std::min(200.0, -10 * std::log10(std::max(relative_error(), 1e-30)));
}

Result<Evaluation> Evaluate(runtime::Session& session, data::Loader& loader, Progress& progress,
                            ClassLoss* loss) {
  const Stopwatch watch;
  Evaluation evaluation;
  LabelScore score;
  const auto look = [&](const data::Batch& batch, const std::vector<Tensor>& outputs) -> Status {
    PARE_TRY(CheckScores(outputs));
    score.Add(outputs[0], batch.labels, batch.count());
    if (loss) loss->Add(outputs[0], batch.labels, batch.count());
    evaluation.count += batch.count();
    return {};
  };
  PARE_TRY(ForEachAnswer(session, loader, "evaluating", progress, look));
  if (score.not_finite() > 0) {
    progress.Note(Text("the model's answers hold NaN or infinities for ", score.not_finite(),
                       " of ", score.labelled(), " samples; an answer with a NaN counts as wrong"));
  }
  evaluation.top1 = score.top1();
  evaluation.top5 = score.top5();
  evaluation.top1_bounds = score.top1_bounds();
  evaluation.right = score.right();
  evaluation.seconds = watch.seconds();
  return evaluation;
}

}  // namespace pare::compress
