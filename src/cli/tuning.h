// The options of `pare quantize --tune`, and what is told of a tuning.
#pragma once

#include <optional>
#include <string>

#include "cli/json.h"
#include "cli/options.h"
#include "cli/parser.h"
#include "compress/quantize/tune.h"

namespace pare::cli {

struct TuningOptions {
  bool on = false;
  compress::TuneOptions tune;
  // What was given; the others have the defaults of `tune`.
  std::optional<double> rate, alpha, temperature;
  std::optional<int64_t> epochs, steps, batch, validation, validate_every, max_memory_mb;
  std::optional<train::OptimizerKind> optimizer;

  void Declare(Parser& parser);
  // Empty without --tune. Labels that are asked for must be there.
  Result<std::optional<compress::TuneOptions>> Make(const data::Dataset& dataset,
                                                    const DataOptions& data) const;

 private:
  void DeclareRun(Parser& parser);
  bool any() const;
  Status Check() const;
};

Json TunedJson(const std::optional<compress::Tuned>& tuned);  // null without
std::string TunedText(const compress::Tuned& tuned);          // a paragraph

}  // namespace pare::cli
