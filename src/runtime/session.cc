#include "runtime/session.h"

#include <algorithm>

namespace pare::runtime {

struct Session::Entry {
  std::vector<Dims> shapes;
  std::shared_ptr<const Plan> plan;
  std::vector<std::unique_ptr<Instance>> idle;
};

// Holds an instance for the time of one run and gives it back.
class Session::Lease {
 public:
  Lease(Session& session, std::shared_ptr<Entry> entry)
      : session_(session), entry_(std::move(entry)) {}
  ~Lease() {
    if (!instance_) return;
    const std::lock_guard lock(session_.mutex_);
    entry_->idle.push_back(std::move(instance_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  Status Take() {
    {
      const std::lock_guard lock(session_.mutex_);
      if (!entry_->idle.empty()) {
        instance_ = std::move(entry_->idle.back());
        entry_->idle.pop_back();
        return {};
      }
    }
    PARE_ASSIGN(instance_, Instance::Make(entry_->plan, session_.pool_->threads()));
    return {};
  }
  Instance& instance() { return *instance_; }

 private:
  Session& session_;
  std::shared_ptr<Entry> entry_;
  std::unique_ptr<Instance> instance_;
};

Session::Session(graph::Graph graph, const Cpu& cpu, std::shared_ptr<ThreadPool> pool,
                 Specialize specialize, SessionOptions options)
    : graph_(std::move(graph)),
      cpu_(cpu),
      pool_(std::move(pool)),
      specialize_(std::move(specialize)),
      options_(std::move(options)),
      packs_(options_.packs ? options_.packs : std::make_shared<ops::PackCache>()) {}

Session::~Session() = default;

Status Session::CheckInputs(std::span<const Tensor> inputs) const {
  const auto& ids = graph_.inputs();
  if (inputs.size() != ids.size()) {
    return Fail(ErrorKind::kUsage,
                Text("the model has ", ids.size(), " inputs, and ", inputs.size(), " were given"));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const graph::Value& value = graph_.value(ids[i]);
    const auto wrong = [&] {
      return Fail(
          ErrorKind::kUsage,
          Text("the input \"", value.name, "\" is ", graph::TypeText(value.type, graph_.symbols()),
               ", and ", graph::TypeText(graph::TypeOf(inputs[i]), {}), " was given"));
    };
    if (inputs[i].dtype() != value.type.dtype) return wrong();
    if (!value.type.shape) continue;
    if (inputs[i].rank() != value.type.rank()) return wrong();
    for (int axis = 0; axis < inputs[i].rank(); ++axis) {
      const graph::Dim dim = (*value.type.shape)[axis];
      if (dim.known() && dim.size() != inputs[i].shape()[axis]) return wrong();
    }
  }
  return {};
}

std::shared_ptr<Session::Entry> Session::Find(std::span<const Tensor> inputs) {
  const std::lock_guard lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    const bool same =
        std::equal(inputs.begin(), inputs.end(), (*entry)->shapes.begin(), (*entry)->shapes.end(),
                   [](const Tensor& tensor, const Dims& shape) { return tensor.shape() == shape; });
    if (!same) continue;
    entries_.splice(entries_.begin(), entries_, entry);
    return entries_.front();
  }
  return nullptr;
}

Result<std::shared_ptr<Session::Entry>> Session::EntryFor(std::span<const Dims> shapes) {
  const std::lock_guard one_at_a_time(compile_mutex_);
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries_) {
      if (std::equal(shapes.begin(), shapes.end(), entry->shapes.begin(), entry->shapes.end()))
        return entry;
    }
  }
  PARE_ASSIGN(graph::Graph graph, specialize_(graph_, shapes));
  PARE_ASSIGN(auto plan, Compile(std::move(graph), {cpu_, *packs_}));
  auto entry = std::make_shared<Entry>();
  entry->shapes.assign(shapes.begin(), shapes.end());
  entry->plan = std::move(plan);
  entry->idle.reserve(16);
  const std::lock_guard lock(mutex_);
  entries_.push_front(entry);
  while (entries_.size() > std::max<size_t>(options_.max_plans, 1)) entries_.pop_back();
  return entry;
}

Result<std::shared_ptr<const Plan>> Session::PlanFor(std::span<const Dims> shapes) {
  PARE_ASSIGN(auto entry, EntryFor(shapes));
  return entry->plan;
}

namespace {

// Stack space for the pointers of a run, so that a run with few inputs and outputs allocates
// nothing.
template <typename T>
class Pointers {
 public:
  explicit Pointers(size_t count) : count_(count) {
    if (count > std::size(few_)) many_.resize(count);
  }
  T& operator[](size_t i) { return data()[i]; }
  std::span<T> span() { return {data(), count_}; }

 private:
  T* data() { return many_.empty() ? few_ : many_.data(); }
  size_t count_;
  T few_[32] = {};
  std::vector<T> many_;
};

bool Fits(const Tensor& tensor, const graph::TensorType& type) {
  if (!tensor || tensor.dtype() != type.dtype || tensor.rank() != type.rank()) return false;
  if (tensor.owner().use_count() != 1) return false;
  return std::equal(tensor.shape().begin(), tensor.shape().end(), type.shape->begin(),
                    [](int64_t size, graph::Dim dim) { return dim.known() && dim.size() == size; });
}

}  // namespace

Status Session::Run(std::span<const Tensor> inputs, std::span<Tensor> outputs, RunOptions options) {
  PARE_TRY(CheckInputs(inputs));
  std::shared_ptr<Entry> entry = Find(inputs);
  if (!entry) {
    std::vector<Dims> shapes;
    for (const Tensor& input : inputs) shapes.push_back(input.shape());
    PARE_ASSIGN(entry, EntryFor(shapes));
  }
  const Plan& plan = *entry->plan;
  if (outputs.size() != plan.output_types.size()) {
    return Fail(ErrorKind::kUsage, Text("the model has ", plan.output_types.size(), " outputs"));
  }
  Pointers<const void*> in(inputs.size());
  Pointers<void*> out(outputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) in[i] = inputs[i].data();
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!Fits(outputs[i], plan.output_types[i])) {
      PARE_ASSIGN(outputs[i],
                  Tensor::Make(plan.output_types[i].dtype, plan.output_types[i].dims()));
    }
    out[i] = outputs[i].mutable_data();
  }
  Lease lease(*this, entry);
  PARE_TRY(lease.Take());
  std::vector<int64_t> times(options.profile ? plan.nodes.size() : 0);
  PARE_TRY(lease.instance().Run(in.span(), out.span(), *pool_, times, options.observer));
  if (options.profile) options.profile->Add(plan, times);
  return {};
}

}  // namespace pare::runtime
