// The options of `pare quantize --tune`, and what is told of a tuning.
#pragma once

#include <optional>
#include <string>

#include "cli/json.h"
#include "cli/parser.h"
#include "compress/quantize/tune.h"
#include "data/dataset.h"

namespace pare::cli {

struct TuningOptions {
  bool on = false;
  compress::TuneOptions tune;
  std::optional<double> rate, alpha, temperature;
  int64_t epochs = 0;

  void Declare(Parser& parser);
  // Empty without --tune. Labels that are asked for must be there.
  Result<std::optional<compress::TuneOptions>> Make(const data::Dataset& dataset,
                                                    const std::string& path) const;

 private:
  void DeclareRun(Parser& parser);
};

Json TunedJson(const std::optional<compress::Tuned>& tuned);  // null without
std::string TunedText(const compress::Tuned& tuned);          // a paragraph

}  // namespace pare::cli
