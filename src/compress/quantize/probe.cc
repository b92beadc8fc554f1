#include "compress/quantize/probe.h"

#include <algorithm>

#include "compress/guarded.h"
#include "compress/score.h"

namespace pare::compress {
namespace {

// Adds b − a to `sums`, by channel of [rows, channels, inner].
void AddDifference(std::vector<double>& sums, const Tensor& a, const Tensor& b, int64_t rows) {
  const auto channels = std::ssize(sums);
  const int64_t inner = a.count() / (a.shape()[0] * channels);
  const auto x = a.as<float>(), y = b.as<float>();
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t begin = (row * channels + c) * inner;
      for (int64_t i = begin; i < begin + inner; ++i) sums[c] += double{y[i]} - x[i];
    }
  }
}

}  // namespace

Result<std::vector<Probe::Known>> Probe::Take(data::Loader& loader, runtime::Session& model,
                                              size_t max_bytes, Progress& progress) {
  std::vector<Known> taken;
  for (size_t bytes = 0; bytes < max_bytes;) {
    PARE_TRY(progress.Check());
    PARE_ASSIGN(auto batch, loader.Next());
    if (!batch) break;
    Known known{std::move(*batch), std::vector<Tensor>(model.graph().outputs().size())};
    PARE_TRY(model.Run(known.batch.inputs, known.answers));
    for (const Tensor& input : known.batch.inputs) bytes += input.bytes();
    for (const Tensor& answer : known.answers) bytes += answer.bytes();
    taken.push_back(std::move(known));
  }
  return taken;
}

Result<Probe> Probe::Make(std::span<data::Loader> loaders, runtime::Session& model,
                          size_t max_bytes, Progress& progress) {
  std::vector<Result<std::vector<Known>>> taken(loaders.size());
  model.pool().Run(std::ssize(loaders), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i)
      taken[i] =
          Guarded([&] { return Take(loaders[i], model, max_bytes / loaders.size(), progress); });
  });
  Probe probe;
  // In turns, so that the first ones are drawn from all over the samples.
  size_t longest = 0;
  for (const auto& part : taken) {
    if (!part) return Fail(part.error());
    longest = std::max(longest, part->size());
  }
  for (size_t i = 0; i < longest; ++i) {
    for (auto& part : taken) {
      if (i < part->size()) probe.known_.push_back(std::move((*part)[i]));
    }
  }
  return probe;
}

Result<double> Probe::Error(runtime::Session& other, int64_t samples, Progress& progress) const {
  size_t count = 0;
  for (int64_t seen = 0; count < known_.size() && seen < samples; ++count)
    seen += known_[count].batch.count();
  std::vector<PairScore> scores(count);
  std::vector<Status> done(count);
  other.pool().Run(static_cast<int64_t>(count), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      done[i] = Guarded([&]() -> Status {
        const Known& known = known_[i];
        std::vector<Tensor> answers(known.answers.size());
        PARE_TRY(progress.Check());
        PARE_TRY(other.Run(known.batch.inputs, answers));
        scores[i].Add(known.answers, answers, known.batch.count());
        return {};
      });
    }
  });
  PairScore total;
  for (size_t i = 0; i < count; ++i) {
    PARE_TRY(done[i]);
    total.Merge(scores[i]);
  }
  return total.relative_error();
}

Result<std::vector<double>> Probe::MeanDifference(runtime::Session& other, int index,
                                                  Progress& progress) const {
  std::vector<Tensor> answers(other.graph().outputs().size());
  std::vector<double> sums;
  int64_t positions = 0;
  for (const Known& known : known_) {
    PARE_TRY(progress.Check());
    PARE_TRY(other.Run(known.batch.inputs, answers));
    const Tensor &a = known.answers[index], &b = answers[index];
    if (a.dtype() != DType::kF32 || a.rank() < 2 || a.count() == 0 || a.shape() != b.shape())
      return std::vector<double>();
    sums.resize(a.shape()[1]);
    if (std::ssize(sums) != a.shape()[1]) return std::vector<double>();
    AddDifference(sums, a, b, known.batch.count());
    positions += known.batch.count() * a.count() / (a.shape()[0] * a.shape()[1]);
  }
  for (double& sum : sums) sum /= static_cast<double>(std::max<int64_t>(positions, 1));
  return sums;
}

}  // namespace pare::compress
