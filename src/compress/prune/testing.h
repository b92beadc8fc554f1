// What the tests of pruning share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "base/random.h"
#include "compress/prune/calibration.h"
#include "compress/prune/groups.h"
#include "graph/text.h"
#include "ops/node_view.h"

namespace pare::compress {

inline graph::Graph ReadGraph(std::string_view text) {
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph) << graph.error().message();
  const Status status = ops::InferTypes(*graph);
  EXPECT_TRUE(status) << status.error().message();
  return *graph;
}

inline int GroupOf(const Channels& channels, std::string_view name) {
  const auto& groups = channels.groups();
  const auto at = std::ranges::find_if(groups, [&](const UnitGroup& group) {
    return group.name == name && !group.producers.empty();
  });
  EXPECT_NE(at, groups.end()) << name;
  return static_cast<int>(at - groups.begin());
}

// Samples of normal numbers for the graph's only input.
inline std::shared_ptr<const data::Dataset> NormalSamples(Dims sample, int64_t count,
                                                          uint64_t seed) {
  sample.insert(sample.begin(), count);
  Tensor x = Tensor::Make(DType::kF32, sample).value();
  Random random(seed);
  for (float& value : x.mutable_as<float>()) value = random.Normal();
  return data::DatasetOf({{"", x}}, {}).value();
}

inline CalibrationBatches CalibrationOf(const graph::Graph& graph, Dims sample, int64_t count) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i) indices.push_back(i);
  SilentProgress progress;
  auto calibration =
      CalibrationBatches::Load(NormalSamples(std::move(sample), count, 1), model::InputSpecs(graph),
                               std::move(indices), {}, progress);
  EXPECT_TRUE(calibration) << calibration.error().message();
  return *std::move(calibration);
}

}  // namespace pare::compress
