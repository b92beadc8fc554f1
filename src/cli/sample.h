// A model, and the inputs that `bench` and `profile` run it on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/options.h"
#include "data/loader.h"

namespace pare::cli {

// Ready to run: `session` on `inputs`.
struct Sample {
  std::unique_ptr<runtime::Session> session;
  std::vector<Tensor> inputs;
  data::Batch from;                // --data's samples that these are
  double load_ms = 0;              // reading and simplifying the file
  std::vector<std::string> files;  // that were read beside those the options name
};

struct SampleOptions {
  MachineOptions machine;
  DataOptions data;
  std::vector<std::string> inputs, shapes;
  uint64_t seed = 0;
  double seconds = 2;

  void Declare(Parser& parser);
  void AddTo(CommandFiles& files) const;
  // Loads the model at `path`; its inputs are the arrays of --input, the first batch of --data, or
  // made up.
  Result<Sample> Open(const std::string& path, const model::Context& context,
                      Console& console) const;

 private:
  Status MakeInputs(const model::Model& model, Sample& sample, Console& console) const;
};

}  // namespace pare::cli
