// What led to a model's file, for whoever finds it later: the metadata pare.run.
#pragma once

#include <string>

#include "cli/json.h"
#include "cli/options.h"

namespace pare::cli {

inline constexpr const char* kRunKey = "pare.run";

struct RunSource {
  std::string command;
  std::string model;  // path
  const DataOptions& data;
  const data::Dataset& dataset;
  uint64_t seed = 0;
};

// An object of what all commands have in common: command, version, model, data with a hash, seed.
// The command adds what is its own.
Result<Json> RunRecord(const RunSource& source);

}  // namespace pare::cli
