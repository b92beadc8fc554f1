// Plan → results. An Instance is the memory of one run at a time; a plan may have many.
#pragma once

#include <memory>
#include <span>

#include "base/aligned_bytes.h"
#include "base/function_ref.h"
#include "platform/thread_pool.h"
#include "runtime/plan.h"

namespace pare::runtime {

// Sees a pinned value when it is complete, on the thread that runs. `data` is valid during the
// call.
using Observer = FunctionRef<void(const PinnedValue& value, const void* data)>;

// Time by node of one run, in ns; the same order as Plan::nodes.
using NodeTimes = std::span<int64_t>;

class Instance {
 public:
  // `workers`: threads of the pool that it will run in. Fails where memory is short.
  static Result<std::unique_ptr<Instance>> Make(std::shared_ptr<const Plan> plan, int workers);

  const Plan& plan() const { return *plan_; }

  // Doesn't allocate. The buffers must have the sizes of the plan's types; `times` is empty or has
  // one entry a node; `observer` may be null.
  Status Run(std::span<const void* const> inputs, std::span<void* const> outputs, ThreadPool& pool,
             NodeTimes times = {}, const Observer* observer = nullptr);

 private:
  struct NodePointers {
    const void** inputs;
    void** outputs;
    void** temps;
  };
  struct Slot {  // a pointer that follows the caller's buffers
    void** pointer;
    size_t index;
  };

  Instance() = default;
  void Resolve();
  void* At(const Location& location) const;
  void Bind(std::span<const void* const> inputs, std::span<void* const> outputs);
  void RunNode(size_t index, ThreadPool& pool, ops::Fault& fault) noexcept;

  std::shared_ptr<const Plan> plan_;
  AlignedBytes arena_, scratch_;
  size_t scratch_stride_ = 0;
  std::vector<void*> pointers_;  // of all nodes, one after the other
  std::vector<NodePointers> nodes_;
  std::vector<Slot> input_slots_, output_slots_;
  std::span<const void* const> bound_inputs_;
  std::span<void* const> bound_outputs_;
};

}  // namespace pare::runtime
