#include "compress/quantize/probe.h"

#include <algorithm>
#include <numeric>

#include "compress/guarded.h"

namespace pare::compress {
namespace {

// What an output's channels have too much, summed.
struct ChannelSums {
  std::vector<double> sums;  // empty: no channels
  int64_t positions = 0;     // summed for each channel

  // Adds b − a of [N, C, …], whose first `rows` count.
  void Add(const Tensor& a, const Tensor& b, int64_t rows);
  void Merge(const ChannelSums& other);
};

void ChannelSums::Add(const Tensor& a, const Tensor& b, int64_t rows) {
  if (a.dtype() != DType::kF32 || a.rank() < 2 || a.count() == 0 || a.shape() != b.shape()) return;
  const int64_t channels = a.shape()[1], inner = a.count() / (a.shape()[0] * channels);
  sums.resize(channels);
  const auto x = a.as<float>(), y = b.as<float>();
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t begin = (row * channels + c) * inner;
      for (int64_t i = begin; i < begin + inner; ++i) sums[c] += double{y[i]} - x[i];
    }
  }
  positions += rows * inner;
}

void ChannelSums::Merge(const ChannelSums& other) {
  if (positions == 0) sums.resize(other.sums.size());
  if (sums.size() != other.sums.size()) return sums.clear();  // a free channel axis
  for (size_t c = 0; c < sums.size(); ++c) sums[c] += other.sums[c];
  positions += other.positions;
}

// So that any first few of what comes in the order of the data are from all over it: steps around
// the golden section of its length.
template <typename T>
std::vector<T> SpreadOut(std::vector<T> items) {
  const size_t count = items.size();
  size_t step = std::max<size_t>(count * 618 / 1000, 1);
  while (std::gcd(step, count) > 1) ++step;
  std::vector<T> spread;
  for (size_t i = 0; i < count; ++i) spread.push_back(std::move(items[i * step % count]));
  return spread;
}

}  // namespace

Probe::Probe(std::span<const data::Loader> loaders, int64_t samples, size_t max_bytes)
    : max_bytes_(max_bytes / loaders.size()) {
  for (const data::Loader& loader : loaders) {
    const int64_t rows = loader.batch(), share = samples / std::ssize(loaders);
    const int64_t batches = (loader.samples() + rows - 1) / rows;
    parts_.push_back({batches, std::clamp<int64_t>(share / rows, 1, batches), 0, {}});
  }
}

void Probe::Offer(size_t loader, data::Batch batch, std::vector<Tensor> answers) {
  Part& part = parts_[loader];
  if (part.seen == 0) {
    size_t bytes = 1;
    for (const Tensor& input : batch.inputs) bytes += input.bytes();
    for (const Tensor& answer : answers) bytes += answer.bytes();
    part.wanted = std::clamp<int64_t>(static_cast<int64_t>(max_bytes_ / bytes), 1, part.wanted);
  }
  // The last of each of as many stretches.
  const int64_t before = part.seen++ * part.wanted / part.batches;
  if (part.seen * part.wanted / part.batches == before) return;
  part.kept.push_back({std::move(batch), std::move(answers)});
}

void Probe::Finish() {
  std::vector<Known> in_order;
  size_t longest = 0;
  for (const Part& part : parts_) longest = std::max(longest, part.kept.size());
  for (size_t i = 0; i < longest; ++i) {
    for (Part& part : parts_) {
      if (i < part.kept.size()) in_order.push_back(std::move(part.kept[i]));
    }
  }
  parts_.clear();
  known_ = SpreadOut(std::move(in_order));
}

std::vector<double> Probe::powers() const {
  std::vector<double> powers;
  for (size_t i = 0; i < known_.at(0).answers.size(); ++i) {
    double sum = 0, count = 0;
    for (const Known& known : known_) {
      if (known.answers[i].dtype() != DType::kF32) continue;
      for (const float y : known.answers[i].as<float>()) sum += double{y} * y;
      count += static_cast<double>(known.answers[i].count());
    }
    powers.push_back(sum / std::max(count, 1.0));
  }
  return powers;
}

int64_t Probe::answers() const {
  int64_t count = 0;
  for (const Tensor& answer : known_.at(0).answers) count += answer.count();
  const Dims& input = known_[0].batch.inputs.at(0).shape();
  return count / (input.empty() ? 1 : std::max<int64_t>(input[0], 1));
}

std::vector<Dims> Probe::shapes() const { return known_.at(0).batch.shapes(); }

size_t Probe::BatchesOf(int64_t samples) const {
  size_t count = 0;
  for (int64_t seen = 0; count < known_.size() && seen < samples; ++count)
    seen += known_[count].batch.count();
  return count;
}

template <typename Look>
Status Probe::RunAll(std::span<runtime::Session* const> forms, size_t first, size_t last,
                     Progress& progress, const Look& look) const {
  const size_t batches = last - first;
  if (forms.empty() || batches == 0) return {};
  return SideBySide(forms[0]->pool(), forms.size() * batches, [&](size_t i) -> Status {
    const size_t form = i / batches, batch = first + i % batches;
    const Known& known = known_[batch];
    std::vector<Tensor> answers(known.answers.size());
    PARE_TRY(progress.Check());
    PARE_TRY(forms[form]->Run(known.batch.inputs, answers));
    PARE_TRY(ToF32(answers));
    return look(form, batch, answers);
  });
}

Result<std::vector<PairScore>> Probe::Scores(std::span<runtime::Session* const> forms, size_t first,
                                             size_t last, Progress& progress) const {
  const size_t batches = last - first;
  std::vector<PairScore> parts(forms.size() * batches);
  PARE_TRY(RunAll(forms, first, last, progress,
                  [&](size_t form, size_t batch, std::span<const Tensor> answers) {
                    const Known& known = known_[batch];
                    return parts[form * batches + batch - first].Add(known.answers, answers,
                                                                     known.batch.count());
                  }));
  std::vector<PairScore> scores(forms.size());
  for (size_t i = 0; i < parts.size(); ++i) scores[i / batches].Merge(parts[i]);
  return scores;
}

Result<Probe::Best> Probe::BestOf(std::span<runtime::Session* const> forms, int64_t screening,
                                  int64_t samples, Progress& progress) const {
  const size_t all = BatchesOf(samples);
  const size_t some = forms.size() > 1 ? std::min(BatchesOf(screening), all) : all;
  PARE_ASSIGN(auto scores, Scores(forms, 0, some, progress));
  const auto least = std::min_element(
      scores.begin(), scores.end(),
      [](const auto& a, const auto& b) { return a.relative_error() < b.relative_error(); });
  const size_t index = least - scores.begin();
  PARE_ASSIGN(const auto rest, Scores(forms.subspan(index, 1), some, all, progress));
  least->Merge(rest[0]);
  return Best{index, least->relative_error()};
}

Result<std::vector<double>> Probe::Errors(std::span<runtime::Session* const> forms, int64_t samples,
                                          Progress& progress) const {
  return ErrorsBetween(forms, 0, BatchesOf(samples), progress);
}

Result<std::vector<double>> Probe::ErrorsOfOthers(std::span<runtime::Session* const> forms,
                                                  int64_t samples, Progress& progress) const {
  const size_t seen = BatchesOf(samples);
  return ErrorsBetween(forms, seen < known_.size() ? seen : 0, known_.size(), progress);
}

Result<std::vector<double>> Probe::ErrorsBetween(std::span<runtime::Session* const> forms,
                                                 size_t first, size_t last,
                                                 Progress& progress) const {
  PARE_ASSIGN(const auto scores, Scores(forms, first, last, progress));
  std::vector<double> errors;
  for (const PairScore& score : scores) errors.push_back(score.relative_error());
  return errors;
}

Result<Probe::Difference> Probe::Compare(runtime::Session& form, Progress& progress) const {
  const size_t outputs = form.graph().outputs().size();
  std::vector<PairScore> scores(known_.size());
  std::vector<std::vector<ChannelSums>> sums(known_.size(), std::vector<ChannelSums>(outputs));
  runtime::Session* const forms[] = {&form};
  PARE_TRY(RunAll(forms, 0, known_.size(), progress,
                  [&](size_t, size_t batch, std::span<const Tensor> answers) -> Status {
                    const Known& known = known_[batch];
                    const int64_t rows = known.batch.count();
                    PARE_TRY(scores[batch].Add(known.answers, answers, rows));
                    for (size_t i = 0; i < outputs; ++i)
                      sums[batch][i].Add(known.answers[i], answers[i], rows);
                    return {};
                  }));
  for (size_t batch = 1; batch < known_.size(); ++batch) {
    scores[0].Merge(scores[batch]);
    for (size_t i = 0; i < outputs; ++i) sums[0][i].Merge(sums[batch][i]);
  }
  Difference difference{scores[0].relative_error(), {}};
  for (const ChannelSums& output : sums[0]) {
    difference.means.push_back(output.sums);
    for (double& mean : difference.means.back()) mean /= static_cast<double>(output.positions);
  }
  return difference;
}

}  // namespace pare::compress
