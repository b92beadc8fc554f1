// A model from a file, ready for all that pare does: the graph as it can be exported, and a session
// that runs it. This is where import, passes and runtime meet; none of them knows the others.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/loader.h"
#include "data/preprocess.h"
#include "graph/graph.h"
#include "passes/pipeline.h"
#include "runtime/session.h"

namespace pare::model {

// The machine and its threads, passed to whatever computes.
struct Context {
  Cpu cpu;
  std::shared_ptr<ThreadPool> pool;
  // Integer products saturate as on an engine without VNNI (kernels/qsaturating/qsaturating.h):
  // what such an engine would answer, at our own speed.
  bool saturating = false;
  // Of the sessions of models with mostly equal weights; null: each session has its own.
  std::shared_ptr<ops::PackCache> packs = nullptr;

  // `threads` 0: as many as affinity and the cgroup's quota allow.
  static Context Make(int threads);
};

class Model {
 public:
  // Imports, simplifies (exportable rewrites only) and frees a batch of 1 where the graph allows
  // it. `simplify` may leave rewrites out.
  static Result<Model> Load(const std::string& path, const passes::PassOptions& simplify = {});

  const std::string& path() const { return path_; }
  const graph::Graph& graph() const { return graph_; }
  // The files beside it that hold weights.
  const std::vector<std::string>& data_files() const { return data_files_; }
  int64_t file_bytes() const { return file_bytes_; }  // of all of them
  // BatchNormalizations that became part of weights.
  int64_t folded_norms() const { return folded_norms_; }
  // Why the batch stayed fixed; empty where it is free.
  const std::string& batch_note() const { return batch_note_; }
  // What the file's metadata says; defaults where it says nothing.
  const data::Preprocess& preprocess() const { return preprocess_; }
  // In place of what the file holds: a model that is trained from other weights.
  void set_graph(graph::Graph graph) { graph_ = std::move(graph); }
  void set_preprocess(const data::Preprocess& preprocess) { preprocess_ = preprocess; }

 private:
  std::string path_;
  graph::Graph graph_;
  std::vector<std::string> data_files_;
  int64_t file_bytes_ = 0, folded_norms_ = 0;
  std::string batch_note_;
  data::Preprocess preprocess_;
};

// Optimizes `simplified` (anew for each shape signature) and makes a session of it.
Result<std::unique_ptr<runtime::Session>> MakeSession(const graph::Graph& simplified,
                                                      const Context& context,
                                                      const passes::PassOptions& options = {});

// What a loader needs to know of the graph's inputs; −1 where a dimension is free.
std::vector<data::InputSpec> InputSpecs(const graph::Graph& graph);
// The inputs' shapes for one batch: free leading dimensions become `batch`; another free dimension
// is an error that names it.
Result<std::vector<Dims>> ShapesForBatch(const graph::Graph& graph, int64_t batch);

}  // namespace pare::model
