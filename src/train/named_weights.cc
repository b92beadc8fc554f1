#include "train/named_weights.h"

namespace pare::train {

Result<std::vector<std::string>> NamedWeights(const graph::Graph& model,
                                              const ParameterOptions& parameters,
                                              const std::vector<std::string>& patterns,
                                              std::string_view option) {
  std::vector<std::string> names;
  if (patterns.empty()) return names;
  PARE_ASSIGN(const std::vector<graph::ValueId> weights, FindParameters(model, parameters));
  for (const std::string& pattern : patterns) {
    const size_t before = names.size();
    for (graph::ValueId weight : weights) {
      if (IsNamed(model, pattern, weight)) names.push_back(model.value(weight).name);
    }
    if (names.size() > before) continue;
    return Fail(ErrorKind::kUsage,
                Text(option, ": no weight that is trained is called \"", pattern, "\""),
                "`pare inspect --nodes` lists the nodes; patterns may hold * and ?");
  }
  return names;
}

}  // namespace pare::train
