// What led to a model's file, for whoever finds it later: the metadata pare.run.
#pragma once

#include <string>

#include "cli/json.h"
#include "cli/options.h"

namespace pare::cli {

inline constexpr const char* kRunKey = "pare.run";

// An object of what all commands have in common: command, version, model. The command adds what is
// its own.
Json RunRecord(std::string_view command, const std::string& model_path);

struct RunSource {
  std::string_view command;
  std::string model;  // path
  const DataOptions& data;
  const data::Dataset& dataset;
  uint64_t seed = 0;
};

// The same for commands that learn from data: with the data, its hash, and the seed.
Result<Json> RunRecord(const RunSource& source);

}  // namespace pare::cli
