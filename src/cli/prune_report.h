// What `pare prune` tells: the groups, the cut, how much of each group costs what.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/prune_options.h"
#include "compress/cost.h"
#include "compress/prune/sensitivity.h"
#include "compress/report.h"

namespace pare::cli {

struct GroupList {
  std::vector<compress::PruneGroup> groups;
};
Json ToJson(const GroupList& list);
std::string ToText(const GroupList& list);

struct PruneReport {
  const PruneCommandOptions& options;
  std::vector<compress::PruneGroup> groups;
  std::vector<std::string> removed_blocks;
  int blocks = 0;
  compress::Reconstruction reconstruction;
  std::optional<TrainingReport> recovery;
  compress::Comparison comparison;
  compress::ModelCost before, after;
  double ms_before = 0, ms_after = 0;  // the fastest run, batch 1, 1 thread
  int64_t calibration = 0, verification = 0;
  double seconds = 0;  // judging, cutting, fitting
  std::vector<std::string> notes;
};
Json ToJson(const PruneReport& report);
std::string ToText(const PruneReport& report);

struct SensitivityReport {
  const std::string& file;
  double ms = 0;  // of the whole model
  std::vector<compress::GroupSensitivity> groups;
  std::vector<std::string> notes;
};
Json ToJson(const SensitivityReport& report);
std::string ToText(const SensitivityReport& report);
// The loss of each group against the part of it that is gone.
std::string SensitivitySvg(const std::vector<compress::GroupSensitivity>& groups);

}  // namespace pare::cli
