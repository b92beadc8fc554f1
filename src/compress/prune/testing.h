// What the tests of pruning share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "base/random.h"
#include "compress/prune/calibration.h"
#include "compress/prune/groups.h"
#include "compress/prune/remove.h"
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

// The removed positions of the weights that sum over them become zero.
inline graph::Graph WithoutContributions(const graph::Graph& graph, const Channels& channels,
                                         const std::vector<KeptUnits>& kept) {
  graph::Graph silent = graph;
  for (const KeptUnits& units : kept) {
    std::vector<bool> stays(static_cast<size_t>(channels.groups()[units.group].size));
    for (int64_t unit : units.units) stays[static_cast<size_t>(unit)] = true;
    for (int consumer : channels.groups()[units.group].consumers) {
      const ChannelAxis& at = channels.axes()[consumer];
      const Tensor old = silent.value(at.value).data;
      Tensor data = Tensor::Make(DType::kF32, old.shape()).value();
      int64_t inner = 1;
      for (int i = at.axis + 1; i < old.rank(); ++i) inner *= old.shape()[i];
      for (int64_t i = 0; i < old.count(); ++i) {
        const auto unit = channels.units(consumer)[static_cast<size_t>(i / inner % at.size)];
        const bool zero = unit.group == units.group && !stays[static_cast<size_t>(unit.index)];
        data.mutable_as<float>()[i] = zero ? 0 : old.as<float>()[i];
      }
      silent.SetConstant(at.value, data);
    }
  }
  return silent;
}

}  // namespace pare::compress
