#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <numeric>
#include <system_error>
#include <thread>

#include "data/fit.h"

namespace pare::data {
namespace {

// Without its batch axis, if it is stacked from samples.
Dims RowOf(const InputSpec& spec, bool stacked) {
  return stacked ? Dims(spec.shape.begin() + 1, spec.shape.end()) : spec.shape;
}

// "x.npy[3]", "x.npy[0] to x.npy[7]", "x.npy[5], x.npy[2], … (64 in all)".
std::string SamplesText(const Batch& batch) {
  constexpr size_t kMost = 3;
  const std::vector<int64_t>& indices = batch.indices;
  const auto name = [&](size_t i) { return batch.dataset->SampleName(indices[i]); };
  const bool in_turn = std::ranges::adjacent_find(indices, [](int64_t a, int64_t b) {
                         return b != a + 1;
                       }) == indices.end();
  if (in_turn && indices.size() > 1) return Text(name(0), " to ", name(indices.size() - 1));
  std::string text;
  for (size_t i = 0; i < std::min(kMost, indices.size()); ++i)
    text += Text(i == 0 ? "" : ", ", name(i));
  return indices.size() > kMost ? Text(text, ", … (", indices.size(), " in all)") : text;
}

}  // namespace

std::vector<Dims> Batch::shapes() const {
  std::vector<Dims> shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  return shapes;
}

Error OfSamples(const Error& error, const Batch& batch) {
  if (error.kind() == ErrorKind::kCancelled || batch.indices.empty() || !batch.dataset)
    return error;
  const bool one = batch.count() == 1;
  const Error named = error.at(Text(one ? "sample " : "samples ", SamplesText(batch)));
  if (one || error.kind() != ErrorKind::kInvalid) return named;
  return named.advise(Text(error.advice(), error.advice().empty() ? "" : "; ",
                           "with --batch 1 the message names the sample alone"));
}

class Loader::Impl {
 public:
  Impl(std::shared_ptr<const Dataset> dataset, std::vector<InputSpec> specs,
       std::vector<int64_t> indices, LoaderOptions options)
      : dataset_(std::move(dataset)),
        specs_(std::move(specs)),
        indices_(std::move(indices)),
        options_(options) {}
  ~Impl() { Stop(); }

  Status Prepare();
  Result<std::optional<Batch>> Next();
  void Rewind() {
    Stop();
    next_ = 0;
  }
  int64_t batch() const { return rows_; }
  int64_t samples() const { return static_cast<int64_t>(indices_.size()); }

 private:
  struct Stack {
    Tensor tensor;
    Dims row;
    size_t row_bytes = 0;
  };

  Status ChooseBatch();
  Result<FittedRow> FitInput(const Sample& sample, size_t spec) const;
  Status Append(const Sample& sample, int64_t row, std::vector<Stack>& stacks, int64_t rows) const;
  Result<Batch> Assemble(int64_t first) const;
  Result<std::optional<Batch>> NextInline();
  void Work();
  void Stop();

  std::shared_ptr<const Dataset> dataset_;
  std::vector<InputSpec> specs_;
  std::vector<int64_t> indices_;
  LoaderOptions options_;
  std::vector<bool> stacked_;  // one a spec: has a batch axis
  std::vector<int> sources_;   // one a spec: which input of a sample
  int64_t rows_ = 1;
  bool fill_up_ = false;  // the model's batch is fixed
  int64_t next_ = 0;      // sample to begin the next batch; the worker's while there is one

  std::thread worker_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<std::optional<Batch>>> ready_;  // guarded by mutex_
  bool stop_ = false;                                  // guarded by mutex_
};

// The first input decides: states and the like come after the data.
Status Loader::Impl::ChooseBatch() {
  rows_ = std::max<int64_t>(1, options_.batch);
  const auto first = std::find_if(specs_.begin(), specs_.end(),
                                  [](const InputSpec& spec) { return !spec.shape.empty(); });
  fill_up_ = first != specs_.end() && first->shape[0] >= 0;
  if (fill_up_) rows_ = first->shape[0];
  if (rows_ == 0) {
    return Fail(
        Error(ErrorKind::kUnsupported, "has a batch of 0").at(Text("input '", first->name, "'")));
  }
  for (const InputSpec& spec : specs_) {
    stacked_.push_back(!spec.shape.empty() && (spec.shape[0] < 0 || spec.shape[0] == rows_));
    if (!stacked_.back() && rows_ > 1) {
      return Fail(
          Error(ErrorKind::kUsage, Text("has no axis for a batch of ", rows_), "use --batch 1")
              .at(Text("input '", spec.name, "'")));
    }
  }
  return {};
}

Status Loader::Impl::Prepare() {
  if (indices_.empty()) return Fail(ErrorKind::kUsage, "there are no samples to load");
  if (specs_.empty())
    return Fail(ErrorKind::kUsage, "the model has no inputs that samples could go into");
  PARE_TRY(ChooseBatch());
  PARE_ASSIGN(const Sample sample, dataset_->Get(indices_[0]));
  const auto fits = [&]() -> Status {
    PARE_ASSIGN(sources_, MatchInputs(sample, specs_));
    for (size_t i = 0; i < specs_.size(); ++i) PARE_TRY(FitInput(sample, i));
    return {};
  };
  if (Status status = fits(); !status) {
    const Error error = status.error().at(dataset_->SampleName(indices_[0]));
    const std::string advice = dataset_->shape_advice();
    return Fail(advice.empty() ? error : error.advise(advice));
  }
  return {};
}

Result<FittedRow> Loader::Impl::FitInput(const Sample& sample, size_t spec) const {
  const Fitter fitter(specs_[spec], RowOf(specs_[spec], stacked_[spec]), options_.preprocess);
  return fitter.Fit(sample.inputs[sources_[spec]]);
}

Status Loader::Impl::Append(const Sample& sample, int64_t row, std::vector<Stack>& stacks,
                            int64_t rows) const {
  for (size_t i = 0; i < specs_.size(); ++i) {
    PARE_ASSIGN(const FittedRow fitted, FitInput(sample, i));
    Stack& stack = stacks[i];
    if (row == 0) {
      Dims shape = stack.row = fitted.shape();
      if (stacked_[i]) shape.insert(shape.begin(), rows);
      PARE_ASSIGN(stack.tensor, Tensor::Make(fitted.dtype(), std::move(shape)));
      stack.row_bytes = stack.tensor.bytes() / rows;
    } else if (fitted.shape() != stack.row) {
      return Fail(Error(ErrorKind::kUsage,
                        Text("has the shape ", DimsText(fitted.shape()),
                             ", and others of its batch ", DimsText(stack.row)),
                        "samples of different shapes need --batch 1 (for pictures, give --crop)")
                      .at(Text("input '", specs_[i].name, "'")));
    }
    PARE_TRY(
        fitted.WriteTo(options_.preprocess, stack.tensor.mutable_data() + row * stack.row_bytes));
  }
  return {};
}

Result<Batch> Loader::Impl::Assemble(int64_t first) const {
  const int64_t count = std::min(rows_, samples() - first);
  const int64_t rows = fill_up_ ? rows_ : count;
  std::vector<Stack> stacks(specs_.size());
  Batch batch;
  batch.dataset = dataset_;
  for (int64_t row = 0; row < count; ++row) {
    const int64_t index = indices_[first + row];
    PARE_ASSIGN(const Sample sample, dataset_->Get(index));
    if (Status status = Append(sample, row, stacks, rows); !status) {
      return Fail(status.error().at(dataset_->SampleName(index)));
    }
    batch.indices.push_back(index);
    batch.labels.push_back(
        sample.label == kNoLabel ? kNoLabel : sample.label + options_.preprocess.label_offset);
  }
  for (Stack& stack : stacks) {
    std::byte* data = stack.tensor.mutable_data();
    for (int64_t row = count; row < rows && stack.row_bytes > 0; ++row) {
      std::memcpy(data + row * stack.row_bytes, data + (count - 1) * stack.row_bytes,
                  stack.row_bytes);
    }
    batch.inputs.push_back(std::move(stack.tensor));
  }
  return batch;
}

Result<std::optional<Batch>> Loader::Impl::NextInline() {
  if (next_ >= samples()) return std::optional<Batch>();
  try {
    PARE_ASSIGN(Batch batch, Assemble(next_));
    next_ += rows_;
    return std::optional<Batch>(std::move(batch));
  } catch (const std::bad_alloc&) {
    return Fail(ErrorKind::kMemory, "no memory for the next batch", "use a smaller --batch");
  }
}

// Prepares one batch ahead; ends after the last one or an error.
void Loader::Impl::Work() {
  while (true) {
    Result<std::optional<Batch>> batch = NextInline();
    const bool last = !batch || !batch->has_value();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stop_ || !ready_; });
    if (stop_) return;
    ready_ = std::move(batch);
    changed_.notify_all();
    if (last) return;
  }
}

Result<std::optional<Batch>> Loader::Impl::Next() {
  if (!options_.prefetch) return NextInline();
  if (!worker_.joinable()) {
    try {
      worker_ = std::thread([this] { Work(); });
    } catch (const std::system_error&) {  // a limit on threads: go on without one
      options_.prefetch = false;
      return NextInline();
    }
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ready_.has_value(); });
  Result<std::optional<Batch>> batch = *std::move(ready_);
  // The worker is gone after the end or an error: that stays the answer.
  if (!batch || !batch->has_value()) return *(ready_ = std::move(batch));
  ready_.reset();
  changed_.notify_all();
  return batch;
}

void Loader::Impl::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (worker_.joinable()) worker_.join();
  ready_.reset();
  stop_ = false;
}

Loader::Loader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;
Loader::~Loader() = default;

Result<Loader> Loader::Make(std::shared_ptr<const Dataset> dataset, std::vector<InputSpec> inputs,
                            std::vector<int64_t> indices, LoaderOptions options) {
  auto impl =
      std::make_unique<Impl>(std::move(dataset), std::move(inputs), std::move(indices), options);
  PARE_TRY(impl->Prepare());
  return Loader(std::move(impl));
}

Result<Loader> Loader::Make(std::shared_ptr<const Dataset> dataset, std::vector<InputSpec> inputs,
                            LoaderOptions options) {
  std::vector<int64_t> indices(dataset->size());
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return Make(std::move(dataset), std::move(inputs), std::move(indices), options);
}

Result<std::optional<Batch>> Loader::Next() { return impl_->Next(); }
void Loader::Rewind() { impl_->Rewind(); }
int64_t Loader::batch() const { return impl_->batch(); }
int64_t Loader::samples() const { return impl_->samples(); }

}  // namespace pare::data
