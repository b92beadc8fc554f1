// From a model to a smaller one within the target that was given, before it is trained.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/prune_run.h"

namespace pare::cli {

// What is left, and how it came about.
struct CutModel {
  graph::Graph graph;
  std::vector<compress::PruneGroup> groups;
  std::vector<std::string> removed_blocks;
  int blocks = 0;
  compress::Reconstruction reconstruction;
};

// By --depth, then by the target; layers fitted unless --no-reconstruction. With --resume the cut
// that lies beside the checkpoint.
Result<CutModel> CutModelOf(const PruneRun& run);

// Where a cut is kept beside the checkpoint of its recovery: times that are measured again, and
// samples that are drawn otherwise, would lead to another one. "" where nothing is kept.
std::string CutFile(const PruneCommandOptions& options);

}  // namespace pare::cli
