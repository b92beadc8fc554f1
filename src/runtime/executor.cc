#include "runtime/executor.h"

#include <cstring>

#include "platform/clock.h"
#include "platform/denormals.h"

namespace pare::runtime {

Result<std::unique_ptr<Instance>> Instance::Make(std::shared_ptr<const Plan> plan, int workers) {
  std::unique_ptr<Instance> instance(new Instance);
  // One line apart, so that two workers never write to one.
  instance->scratch_stride_ = (plan->scratch_bytes + 127) / 64 * 64;
  instance->arena_ = AllocateAligned(plan->arena_bytes + 64);
  instance->scratch_ = AllocateAligned(instance->scratch_stride_ * workers);
  if (!instance->arena_ || !instance->scratch_) {
    return Fail(ErrorKind::kMemory,
                Text("no memory for the model's activations (", plan->arena_bytes >> 20, " MiB)"),
                "a smaller --batch needs less");
  }
  instance->plan_ = std::move(plan);
  instance->Resolve();
  return instance;
}

void* Instance::At(const Location& location) const {
  switch (location.kind) {
    case Location::Kind::kArena:
      return arena_.get() + location.index;
    case Location::Kind::kConstant:
      return const_cast<void*>(location.constant);  // written where it is an assigned state's
    case Location::Kind::kInput:
      return bound_inputs_.empty() ? nullptr : const_cast<void*>(bound_inputs_[location.index]);
    case Location::Kind::kOutput:
      return bound_outputs_.empty() ? nullptr : bound_outputs_[location.index];
    case Location::Kind::kNone:
      break;
  }
  return nullptr;
}

void Instance::Resolve() {
  size_t count = 0;
  for (const PlanNode& node : plan_->nodes) {
    count += node.inputs.size() + node.outputs.size() + node.temps.size();
  }
  pointers_.resize(count);
  void** next = pointers_.data();
  const auto resolve = [&](const std::vector<Location>& locations) {
    void** const first = next;
    for (const Location& location : locations) {
      if (location.kind == Location::Kind::kInput) input_slots_.push_back({next, location.index});
      if (location.kind == Location::Kind::kOutput) output_slots_.push_back({next, location.index});
      *next++ = At(location);
    }
    return first;
  };
  for (const PlanNode& node : plan_->nodes) {
    void** const inputs = resolve(node.inputs);
    void** const outputs = resolve(node.outputs);
    void** const temps = resolve(node.temps);
    nodes_.push_back({const_cast<const void**>(inputs), outputs, temps});
  }
}

void Instance::Bind(std::span<const void* const> inputs, std::span<void* const> outputs) {
  bound_inputs_ = inputs;
  bound_outputs_ = outputs;
  for (const Slot& slot : input_slots_) *slot.pointer = const_cast<void*>(inputs[slot.index]);
  for (const Slot& slot : output_slots_) *slot.pointer = outputs[slot.index];
}

void Instance::RunNode(size_t index, ThreadPool& pool, ops::Fault& fault) noexcept {
  const NodePointers& pointers = nodes_[index];
  for (const ops::Step& step : plan_->nodes[index].steps) {
    const auto body = [&](int64_t begin, int64_t end, int worker) {
      step.run({pointers.inputs, pointers.outputs, pointers.temps, step.state,
                scratch_.get() + scratch_stride_ * worker, begin, end, &fault});
    };
    if (step.tasks == 1) {
      body(0, 1, 0);
    } else {
      pool.Run(step.tasks, body);
    }
  }
}

Status Instance::Run(std::span<const void* const> inputs, std::span<void* const> outputs,
                     ThreadPool& pool, NodeTimes times, const Observer* observer) {
  const DenormalsAreZero flush;
  const ThreadPool::Awake awake(pool);
  Bind(inputs, outputs);
  ops::Fault fault;
  auto pinned = plan_->pinned.begin();
  const auto observe_until = [&](size_t node) {
    for (; observer && pinned != plan_->pinned.end() && pinned->node == node; ++pinned) {
      (*observer)(*pinned, At(pinned->at));
    }
  };
  observe_until(0);
  int64_t before = times.empty() ? 0 : NowNs();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    RunNode(i, pool, fault);
    if (!times.empty()) {
      const int64_t now = NowNs();
      times[i] = now - before;
      before = now;
    }
    if (fault.raised()) {
      const PlanNode& node = plan_->nodes[i];
      return Fail(Error(ErrorKind::kInvalid, fault.message(),
                        "the inputs hold a value that the model has no place for (a token beyond "
                        "its table, say): correct them")
                      .at(ops::NodePath(plan_->graph, plan_->graph.node(node.id))));
    }
    observe_until(i + 1);
  }
  for (const Copy& copy : plan_->copies) {
    std::memcpy(At(copy.to), At(copy.from), copy.bytes);
  }
  return {};
}

}  // namespace pare::runtime
