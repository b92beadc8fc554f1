// What the tests of this room share: a small classifier and data that it can learn.
#pragma once

#include <gtest/gtest.h>

#include "base/random.h"
#include "graph/text.h"
#include "train/train.h"

namespace pare::train {

inline TrainOptions SomeOptions() {
  TrainOptions options;
  options.program.batch = 16;
  options.schedule.rate = 0.2;
  options.epochs = 4;
  options.seed = 3;
  return options;
}

inline graph::Graph SmallClassifier() {
  auto graph = graph::Parse(R"(
input x: f32[N,2]
const w1: f32[16,2] = random(1, -0.7, 0.7)
const b1: f32[16] = fill(0)
const w2: f32[3,16] = random(2, -0.5, 0.5)
const b2: f32[3] = fill(0)
h = Gemm(x, w1, b1) {transB=1}
a = Relu(h)
y = Gemm(a, w2, b2) {transB=1}
output y
)");
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

// Points around three centres.
inline std::shared_ptr<const data::Dataset> ThreeClouds(int64_t samples) {
  constexpr float kCentres[3][2] = {{1, 1}, {-1, 0.5f}, {0.2f, -1}};
  Tensor points = Tensor::Make(DType::kF32, {samples, 2}).value();
  std::vector<int64_t> labels;
  Random random(7);
  for (int64_t i = 0; i < samples; ++i) {
    labels.push_back(i % 3);
    for (int axis : {0, 1}) {
      points.mutable_as<float>()[2 * i + axis] = kCentres[i % 3][axis] + 0.3f * random.Normal();
    }
  }
  return data::DatasetOf({{.name = "", .tensor = points}}, labels).value();
}

inline std::vector<int64_t> FirstIndices(int64_t count) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < count; ++i) indices.push_back(i);
  return indices;
}

}  // namespace pare::train
