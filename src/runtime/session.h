// A model that runs: plans by shape signature, made when first needed, their memory kept for the
// next run.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "runtime/executor.h"
#include "runtime/profile.h"

namespace pare::runtime {

// A graph for the given shapes of its inputs: all types static. It is passes::BindShapes and
// passes::Optimize, which the runtime doesn't know.
using Specialize = std::function<Result<graph::Graph>(const graph::Graph&, std::span<const Dims>)>;

struct SessionOptions {
  size_t max_plans = 8;                             // the least recently used goes first; ≥ 1
  std::shared_ptr<ops::PackCache> packs = nullptr;  // shared with other sessions; null: its own
};

// Thread-safe: several threads may call Run at once; each uses memory of its own.
class Session {
 public:
  // `pool` may be shared by sessions. Nothing is compiled yet.
  Session(graph::Graph graph, const Cpu& cpu, std::shared_ptr<ThreadPool> pool,
          Specialize specialize, SessionOptions options = {});
  ~Session();

  const graph::Graph& graph() const { return graph_; }
  ThreadPool& pool() const { return *pool_; }

  // The plan for these input shapes, compiled now where there is none yet.
  Result<std::shared_ptr<const Plan>> PlanFor(std::span<const Dims> shapes);

  struct RunOptions {
    Profile* profile = nullptr;
    const Observer* observer = nullptr;
  };
  // `inputs` in the order of the graph, of its types. An output that has the right type and whose
  // bytes nobody else holds is written in place, any other is allocated: with the same outputs,
  // shapes and no profile a second call allocates nothing.
  Status Run(std::span<const Tensor> inputs, std::span<Tensor> outputs, RunOptions options);
  Status Run(std::span<const Tensor> inputs, std::span<Tensor> outputs) {
    return Run(inputs, outputs, {});
  }

  size_t packed_bytes() const { return packs_->bytes(); }

 private:
  struct Entry;  // a plan and its idle instances
  class Lease;

  Status CheckInputs(std::span<const Tensor> inputs) const;
  Result<std::shared_ptr<Entry>> EntryFor(std::span<const Dims> shapes);
  std::shared_ptr<Entry> Find(std::span<const Tensor> inputs);

  graph::Graph graph_;
  Cpu cpu_;
  std::shared_ptr<ThreadPool> pool_;
  Specialize specialize_;
  SessionOptions options_;
  std::shared_ptr<ops::PackCache> packs_;
  std::mutex compile_mutex_;  // one compilation at a time: the second finds the first's result
  std::mutex mutex_;          // of entries_ and their idle lists
  std::list<std::shared_ptr<Entry>> entries_;  // most recently used first
};

}  // namespace pare::runtime
