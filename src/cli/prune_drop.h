// `pare prune --max-drop`: the smallest cut that loses no more than that.
#pragma once

#include <optional>
#include <vector>

#include "cli/prune_cut.h"

namespace pare::cli {

// A cut that was trained where that was asked for, and written.
struct HeldCut {
  CutModel cut;
  std::optional<TrainingReport> recovery;
  std::vector<int64_t> verification;  // samples that no cut was chosen by alone
};

// Cuts are tried between the whole model and little of it, and each is written that holds the limit
// on both halves of the verification samples: the first half says which cut is tried next, the
// second only whether it may be written. Fails (kUnmet) where none holds: nothing is written then.
Result<HeldCut> HoldMaxDrop(const PruneRun& run);

}  // namespace pare::cli
