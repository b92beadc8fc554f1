// Targets ("0.3x" of the model's, or a quantity of its own), and what a graph costs on one sample
// and one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.h"
#include "cli/parser.h"
#include "compress/cost.h"
#include "compress/timing.h"
#include "model/model.h"

namespace pare::cli {

struct Target {
  double value = 0;
  bool relative = false;

  double Of(double whole) const { return relative ? value * whole : value; }
};

// Options that take one, in the units that fit: MACs (k, M, G), bytes (kB, MB, GB), ms.
enum class TargetUnit : uint8_t { kMacs, kBytes, kMs };
void DeclareTarget(Parser& parser, std::string names, std::string value, TargetUnit unit,
                   std::optional<Target>& target, std::string help);

// One sample on one thread: what MACs and times are of.
class SampleRun {
 public:
  // `given` as DeclareShapes has it.
  static Result<SampleRun> Make(const graph::Graph& graph, const std::vector<std::string>& given);

  const std::vector<Dims>& shapes() const { return shapes_; }
  Result<compress::ModelCost> Cost(const graph::Graph& graph) const {
    return compress::CostOf(graph, shapes_);
  }
  // The fastest run of each, which other processes disturb least: sides by turns.
  Result<std::vector<double>> Time(std::span<const graph::Graph* const> graphs, double seconds,
                                   Progress& progress) const;
  // The same for a report: notes tell what disturbed them.
  Result<std::vector<double>> TimeForReport(std::span<const graph::Graph* const> graphs,
                                            double seconds, Console& console) const;
  // Milliseconds by layer of each, in its fastest run.
  Result<std::vector<std::map<std::string, double>>> LayerTimes(
      std::span<const graph::Graph* const> graphs, double seconds, Console& console) const;

 private:
  struct Sessions {
    std::vector<std::unique_ptr<runtime::Session>> owned;
    std::vector<runtime::Session*> sides;
  };
  Result<compress::Timed> Measure(std::span<const graph::Graph* const> graphs, double seconds,
                                  Progress& progress) const;
  Result<Sessions> Deploy(std::span<const graph::Graph* const> graphs) const;

  SampleRun(std::vector<Dims> shapes, std::vector<Tensor> inputs)
      : context_(model::Context::Make(1)), shapes_(std::move(shapes)), inputs_(std::move(inputs)) {}

  model::Context context_;
  std::vector<Dims> shapes_;
  std::vector<Tensor> inputs_;
};

}  // namespace pare::cli
