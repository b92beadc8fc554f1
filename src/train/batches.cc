#include "train/batches.h"

#include "model/model.h"

namespace pare::train {
namespace {

// Streams of random numbers, each from the seed and a place in the run: a run that goes on finds
// them again.
enum Stream : uint64_t { kOrder = 1, kAugmentation = 2 };
uint64_t StreamOf(Stream stream, int64_t place) {
  return static_cast<uint64_t>(place) << 2 | stream;
}

}  // namespace

Batches::Batches(const graph::Graph& model, std::shared_ptr<const data::Dataset> dataset,
                 std::vector<int64_t> indices, const data::Preprocess& preprocess,
                 BatchOptions options)
    : inputs_(model::InputSpecs(model)),
      dataset_(std::move(dataset)),
      indices_(std::move(indices)),
      preprocess_(preprocess),
      options_(std::move(options)) {}

Status Batches::GoTo(int64_t step) {
  const int64_t epoch = step / steps_an_epoch();
  std::vector<int64_t> order = indices_;
  Random(options_.seed, StreamOf(kOrder, epoch)).Shuffle(order);
  order.resize(steps_an_epoch() * options_.batch);
  order.erase(order.begin(), order.begin() + step % steps_an_epoch() * options_.batch);
  PARE_ASSIGN(loader_, data::Loader::Make(dataset_, inputs_, std::move(order),
                                          {.batch = options_.batch / options_.parts,
                                           .preprocess = preprocess_,
                                           .prefetch = true}));
  next_ = step * options_.parts;
  return {};
}

Result<TrainBatch> Batches::At(int64_t step, int64_t part) {
  const int64_t place = step * options_.parts + part;
  const bool begins = part == 0 && step % steps_an_epoch() == 0;
  if (!loader_ || begins || place != next_) PARE_TRY(GoTo(step));
  while (true) {
    PARE_ASSIGN(auto loaded, loader_->Next());
    if (!loaded) return Fail(ErrorKind::kInternal, "the data has fewer samples than it said");
    if (next_++ < place) continue;
    TrainBatch batch{.data = std::move(*loaded), .mixture = {}};
    Random random(options_.seed, StreamOf(kAugmentation, place));
    PARE_TRY(Augment(batch, options_.augment, preprocess_, random));
    return batch;
  }
}

}  // namespace pare::train
