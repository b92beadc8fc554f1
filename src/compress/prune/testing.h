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

// Three layers, one behind the other, and a classifier.
inline constexpr std::string_view kConvChain = R"(
input x: f32[N,3,8,8]
const w0: f32[32,3,3,3] = random(1, -1, 1)
const w1: f32[48,32,1,1] = random(2, -1, 1)
const w2: f32[32,48,3,3] = random(3, -1, 1)
const w3: f32[10,32] = random(4, -1, 1)
a = Conv(x, w0) {pads=[1,1,1,1]}
ra = Relu(a)
b = Conv(ra, w1)
rb = Relu(b)
c = Conv(rb, w2) {pads=[1,1,1,1]}
rc = Relu(c)
p = GlobalAveragePool(rc)
flat = Flatten(p)
y = Gemm(flat, w3) {transB=1}
output y
)";

// Three residual blocks, of which the second adds next to nothing.
inline constexpr std::string_view kThreeBlocks = R"(
input x: f32[N,3,6,6]
const w0: f32[16,3,1,1] = random(1, -1, 1)
const v1: f32[16,16,3,3] = random(2, -1, 1)
const w1: f32[16,16,1,1] = random(3, -1, 1)
const v2: f32[16,16,3,3] = random(4, -1, 1)
const w2: f32[16,16,1,1] = random(5, -0.0001, 0.0001)
const v3: f32[16,16,3,3] = random(6, -1, 1)
const w3: f32[16,16,1,1] = random(7, -1, 1)
const wy: f32[2,16,1,1] = random(8, -1, 1)
s0 = Conv(x, w0)
i1 = Conv(s0, v1) {pads=[1,1,1,1]}
r1 = Relu(i1)
f1 = Conv(r1, w1)
s1 = Add(s0, f1)
i2 = Conv(s1, v2) {pads=[1,1,1,1]}
r2 = Relu(i2)
f2 = Conv(r2, w2)
s2 = Add(s1, f2)
i3 = Conv(s2, v3) {pads=[1,1,1,1]}
r3 = Relu(i3)
f3 = Conv(r3, w3)
s3 = Add(s2, f3)
y = Conv(s3, wy)
output y
)";

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
