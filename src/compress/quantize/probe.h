// How far other forms of a model are from it, on a few samples that are kept with its answers: what
// the choice between quantizations goes by. It is filled while the model runs, then asked.
#pragma once

#include <span>
#include <vector>

#include "base/progress.h"
#include "compress/score.h"
#include "data/loader.h"
#include "runtime/session.h"

namespace pare::compress {

class Probe {
 public:
  Probe() = default;
  // Will take about `samples` of these loaders' samples, evenly, and fewer where their inputs and
  // outputs have more than `max_bytes`; at least one batch of each loader.
  Probe(std::span<const data::Loader> loaders, int64_t samples, size_t max_bytes);

  // The next batch of a loader with the model's answers, floats as float32; kept, or dropped. One
  // thread a loader.
  void Offer(size_t loader, data::Batch batch, std::vector<Tensor> answers);
  // After all batches.
  void Finish();

  // The mean square of each of the model's outputs.
  std::vector<double> powers() const;
  // How many numbers the outputs hold for a sample.
  int64_t answers() const;
  // Of the inputs; to compile forms for.
  std::vector<Dims> shapes() const;

  // The form with the least PairScore::relative_error() on the first samples.
  // Where there are several, `screening` samples choose one, and the others go without the rest:
  // its error alone is over all `samples`.
  struct Best {
    size_t index = 0;
    double error = 0;
  };
  Result<Best> BestOf(std::span<runtime::Session* const> forms, int64_t screening, int64_t samples,
                      Progress& progress) const;
  // That error of each.
  Result<std::vector<double>> Errors(std::span<runtime::Session* const> forms, int64_t samples,
                                     Progress& progress) const;
  // Of the samples behind the first `samples`; where there are no more, of all.
  Result<std::vector<double>> ErrorsOfOthers(std::span<runtime::Session* const> forms,
                                             int64_t samples, Progress& progress) const;

  // Of all samples: the error, and for each output [N, C, …] the mean over samples and positions of
  // (form − model) by channel; empty where it has no channels.
  struct Difference {
    double error = 0;
    std::vector<std::vector<double>> means;
  };
  Result<Difference> Compare(runtime::Session& form, Progress& progress) const;

 private:
  struct Known {
    data::Batch batch;
    std::vector<Tensor> answers;
  };
  struct Part {  // of one loader
    int64_t batches = 0, wanted = 0, seen = 0;
    std::vector<Known> kept;
  };
  size_t BatchesOf(int64_t samples) const;
  // `look(form, batch, answers)` for the batches [first, last) of each form, all side by side.
  template <typename Look>
  Status RunAll(std::span<runtime::Session* const> forms, size_t first, size_t last,
                Progress& progress, const Look& look) const;
  Result<std::vector<double>> ErrorsBetween(std::span<runtime::Session* const> forms, size_t first,
                                            size_t last, Progress& progress) const;
  Result<std::vector<PairScore>> Scores(std::span<runtime::Session* const> forms, size_t first,
                                        size_t last, Progress& progress) const;

  size_t max_bytes_ = 0;  // of a part
  std::vector<Part> parts_;
  std::vector<Known> known_;  // neighbours are from places of the data that are far apart
};

}  // namespace pare::compress
