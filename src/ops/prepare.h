// The seam between an operator's record and the executor: what prepare may ask for, and what a step
// is.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/function_ref.h"
#include "ops/node_view.h"
#include "ops/op_def.h"
#include "platform/cpu.h"

namespace pare::ops {

// A fault that depends on the data (an index out of range), raised by a step while it runs. The
// first one is kept; the run then returns it as an error with the node's path.
class Fault {
 public:
  // `reason` must be a string literal.
  void Raise(const char* reason, int64_t value) noexcept;
  bool raised() const noexcept;
  std::string message() const;

 private:
  std::atomic<const char*> reason_ = nullptr;
  std::atomic<int64_t> value_ = 0;
};

struct StepArgs {
  const void* const* inputs;  // one each input of the node; null for an absent one
  void* const* outputs;
  void* const* temps;  // in the order of PrepareContext::Temp
  const void* state;
  void* scratch;       // Step::scratch_bytes of this worker, aligned to 64
  int64_t begin, end;  // the tasks to do
  Fault* fault;

  template <typename T>
  const T* in(int i) const {
    return static_cast<const T*>(inputs[i]);
  }
  template <typename T>
  T* out(int i) const {
    return static_cast<T*>(outputs[i]);
  }
};

// One parallel loop over `tasks` independent tasks; between the steps of a node stands a barrier.
// How the work is cut depends on shapes only, never on the number of threads.
struct Step {
  void (*run)(const StepArgs&) noexcept = nullptr;
  const void* state = nullptr;  // from PrepareContext::State, or static
  int64_t tasks = 1;
  size_t scratch_bytes = 0;  // for each worker
  std::string_view kernel;   // the name of the kernel's row, for profiles and fingerprints
};

// Packed weights, shared by the plans and threads of a model. Thread-safe. An entry lives as long
// as some plan holds it.
class PackCache {
 public:
  using Fill = FunctionRef<void(std::byte*)>;
  // kNever leaves the bytes unset: plans that are looked at and never run may be for a CPU that
  // this machine is not, and packing would run instructions that it lacks.
  enum class Filling : uint8_t { kNow, kNever };
  // What tells one constant from another: where its bytes lie, or, for models that have equal ones
  // in places of their own, what they are.
  enum class Identity : uint8_t { kAddress, kContent };

  explicit PackCache(Filling filling = Filling::kNow, Identity identity = Identity::kAddress)
      : filling_(filling), identity_(identity) {}

  // What a key calls these bytes.
  uint64_t NameOf(const Tensor& constant) const;

  // The bytes under `key`, made by `fill` where nobody holds them yet. Aligned to 64. `sources` are
  // the owners of the constants that the key names by address: the entry keeps them alive, so that
  // no other constant can take the address.
  Result<std::shared_ptr<const std::byte>> Get(const std::string& key, size_t bytes,
                                               std::vector<std::shared_ptr<const void>> sources,
                                               Fill fill);
  size_t bytes() const;    // held now
  size_t entries() const;  // held now

 private:
  // Shared with the entries, each of which takes itself out when it ends.
  struct Index {
    std::mutex mutex;
    std::unordered_map<std::string, std::weak_ptr<const std::byte>> entries;
    size_t bytes = 0;
  };
  struct Packed;

  Filling filling_;
  Identity identity_;
  std::shared_ptr<Index> index_ = std::make_shared<Index>();
};

// Some of a node's first 32 inputs; those behind are in no set.
class InputSet {
 public:
  constexpr InputSet() = default;
  constexpr InputSet(std::initializer_list<int> inputs) {
    for (int input : inputs) Add(input);
  }
  constexpr void Add(int input) {
    if (input < kPlaces) bits_ |= 1u << input;
  }
  constexpr bool Has(size_t input) const { return input < kPlaces && (bits_ >> input & 1) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  friend constexpr bool operator==(InputSet, InputSet) = default;

 private:
  static constexpr int kPlaces = 32;
  uint32_t bits_ = 0;
};

// What prepare leaves behind: everything that a node needs to run.
struct Prepared {
  std::vector<Step> steps;         // empty: an alias, or nothing to do
  std::vector<size_t> temp_bytes;  // live from the node's first step to its last
  int alias_input = -1;            // output 0 is this input's bytes under another shape
  // By output: the inputs of which it may take the memory when one dies here.
  std::array<InputSet, kMaxSlots> in_place_inputs{};
  std::vector<std::shared_ptr<const void>> keep;  // states and packed weights
};

class PrepareContext : public NodeView {
 public:
  PrepareContext(const graph::Graph& graph, const graph::Node& node, const Cpu& cpu,
                 PackCache& packs)
      : NodeView(graph, node), cpu_(cpu), packs_(packs) {}

  const Cpu& cpu() const { return cpu_; }

  // Types are static when prepare is called.
  DType dtype(int i) const { return has_input(i) ? input(i).dtype : DType::kNone; }
  Dims shape(int i) const { return input(i).dims(); }
  DType output_dtype(int i = 0) const { return output(i).dtype; }
  Dims output_shape(int i = 0) const { return output(i).dims(); }

  // A copy of `state` that lives as long as the plan.
  template <typename T>
  T* State(T state) {
    auto owned = std::make_shared<T>(std::move(state));
    prepared_.keep.push_back(owned);
    return owned.get();
  }
  // Packed bytes shared among plans: `format` names kernel and shape, `operands` the constant
  // inputs they are made from.
  Result<const std::byte*> Pack(std::initializer_list<int> operands, std::string_view format,
                                size_t bytes, PackCache::Fill fill);
  int Temp(size_t bytes);  // the index in StepArgs::temps
  void AddStep(Step step) { prepared_.steps.push_back(step); }
  void Alias(int input) { prepared_.alias_input = input; }
  void AllowInPlace(int input, int output = 0) { prepared_.in_place_inputs[output].Add(input); }

  Prepared Take() { return std::move(prepared_); }

 private:
  const Cpu& cpu_;
  PackCache& packs_;
  Prepared prepared_;
};

// Checks the node against its record (arity, static types), then calls the record's prepare.
Result<Prepared> Prepare(const graph::Graph& graph, const graph::Node& node, const Cpu& cpu,
                         PackCache& packs);

// Runs one node whose inputs are all constants, in the calling thread: constant folding and tests.
// The outputs' types must have been inferred. Kernels are those for this machine's CPU, which is
// looked at once: what is folded here runs here.
Result<std::vector<Tensor>> Evaluate(const graph::Graph& graph, const graph::Node& node);

}  // namespace pare::ops
