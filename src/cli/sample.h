// The inputs that `bench` and `profile` run a model on.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace pare::cli {

struct SampleOptions {
  MachineOptions machine;
  DataOptions data;
  std::vector<std::string> inputs, shapes;
  uint64_t seed = 0;
  double seconds = 2;

  void Declare(Parser& parser);
  // The arrays of --input, the first batch of --data, or made up.
  Result<std::vector<Tensor>> MakeInputs(const model::Model& model, Console& console) const;
};

}  // namespace pare::cli
