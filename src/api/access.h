// What stands behind the public handles, for the files of this room.
#pragma once

#include "api/option_names.h"
#include "data/dataset.h"
#include "model/model.h"
#include "pare/data.h"
#include "pare/model.h"

namespace pare {

struct Model::Impl {
  // The model's file and those beside it that hold weights; empty: made in memory.
  std::vector<std::string> files;
  graph::Graph graph;  // as train::kTrainable leaves it: what is trained and saved
  data::Preprocess preprocess;
  int64_t bytes = 0;

  // What runs and is quantized.
  Result<graph::Graph> Simplified() const {
    graph::Graph simplified = graph;
    PARE_TRY(passes::Simplify(simplified));
    return simplified;
  }
};

struct Dataset::Impl {
  std::shared_ptr<const data::Dataset> dataset;
};

struct Access {
  using ModelImpl = Model::Impl;
  static const Model::Impl& Of(const Model& model) { return *model.impl_; }
  static const Dataset::Impl& Of(const Dataset& dataset) { return *dataset.impl_; }
  static Model Make(Model::Impl impl) {
    return Model(std::make_shared<const Model::Impl>(std::move(impl)));
  }
};

// No exception crosses the library's border: short memory becomes a Status. Nor do the names of
// options of the command line.
template <typename F>
auto Guarded(F body) -> decltype(body()) {
  try {
    auto result = body();
    if (!result) return Fail(InApiNames(result.error()));
    return result;
  } catch (const std::bad_alloc&) {
    return Fail(ErrorKind::kMemory, "memory is short");
  }
}

}  // namespace pare
