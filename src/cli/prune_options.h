// The options of `pare prune`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/targets.h"
#include "cli/training.h"
#include "compress/prune/prune.h"

namespace pare::cli {

struct PruneCommandOptions {
  std::string model;
  bool list = false, no_recover = false, no_reconstruction = false;
  bool no_depth = false, no_measure = false, for_int8 = false;
  bool values = false;      // the outputs are such, and no scores of classes
  std::string sensitivity;  // an SVG file, "": none
  int64_t rounds = 1;
  double seconds = compress::TimingOptions().seconds;
  std::optional<Target> macs, size, latency;
  std::optional<double> depth;
  std::optional<double> max_drop;  // percentage points of top-1, or of agreement without labels
  compress::PruneOptions prune;
  int64_t calibration = 192;
  std::optional<int64_t> verification;
  std::vector<std::string> shapes;
  std::optional<double> alpha, temperature;  // of recovery
  TrainingOptions training;                  // with output, data, seed and threads
  CommonOptions common;

  void Declare(Parser& parser);
  Status Check() const;
  // A group is cut, and not only whole blocks.
  bool any_width() const { return macs || size || latency || max_drop; }
  // What layers take at their widths orders the cuts.
  bool measures() const {
    return latency || (!no_measure && prune.scope == compress::PruneScope::kGlobal);
  }

 private:
  void DeclareSize(Parser& parser);
  void DeclareChoice(Parser& parser);
  void DeclareRecovery(Parser& parser);
  Status CheckRecovery() const;
};

}  // namespace pare::cli
