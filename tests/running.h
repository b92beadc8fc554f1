// What the tests across rooms share: files beside them, running a model, comparing with what was
// expected.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/npy.h"
#include "graph/text.h"
#include "model/model.h"
#include "onnx/export.h"
#include "ops/op_def.h"

namespace pare {

inline std::filesystem::path SourcePath(const std::string& below) {
  return std::filesystem::path(PARE_SOURCE_DIR) / below;
}

// Writes the model that a text (graph/text.h) describes.
inline std::string WriteModel(const std::string& path, std::string_view text,
                              const std::map<std::string, std::string>& metadata = {}) {
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  graph->metadata = metadata;
  const Status status = onnx::Export(*graph, path);
  EXPECT_TRUE(status) << status.error().message();
  return path;
}

// Teachers whose kernels are others in smaller batches, and sum in another order.
inline constexpr std::string_view kWideConvolutions = R"(
opset 17
input x: f32[N,3,12,12]
const w0: f32[16,3,1,1] = random(1, -1, 1)
const w1: f32[32,16,3,3] = random(2, -0.2, 0.2)
const w2: f32[32,5] = random(3, -1, 1)
h0 = Conv(x, w0)
r0 = Relu(h0)
h1 = Conv(r0, w1) {pads=[1,1,1,1]}
r1 = Relu(h1)
p = GlobalAveragePool(r1)
f = Flatten(p)
y = MatMul(f, w2)
output y
)";
inline constexpr std::string_view kWideProducts = R"(
opset 17
input x: f32[N,20]
const w0: f32[20,200] = random(1, -0.5, 0.5)
const w1: f32[200,64] = random(2, -0.2, 0.2)
const w2: f32[64,10] = random(3, -0.5, 0.5)
h0 = MatMul(x, w0)
r0 = Relu(h0)
h1 = MatMul(r0, w1)
r1 = Relu(h1)
y = MatMul(r1, w2)
output y
)";

struct Tolerance {
  double absolute = 1e-5, relative = 1e-4;
};

// Element by element; NaN equals NaN, infinities by their sign; other types than floats exactly.
inline ::testing::AssertionResult Near(const Tensor& got, const Tensor& want, Tolerance tolerance) {
  if (got.dtype() != want.dtype() || got.shape() != want.shape()) {
    return ::testing::AssertionFailure()
           << DTypeName(got.dtype()) << DimsText(got.shape()) << " instead of "
           << DTypeName(want.dtype()) << DimsText(want.shape());
  }
  if (!IsFloat(want.dtype())) {
    if (std::memcmp(got.data(), want.data(), want.bytes()) == 0) {
      return ::testing::AssertionSuccess();
    }
    return ::testing::AssertionFailure() << "integers differ";
  }
  const Tensor a = Cast(got, DType::kF64).value(), b = Cast(want, DType::kF64).value();
  const auto x = a.as<double>(), y = b.as<double>();
  for (size_t i = 0; i < y.size(); ++i) {
    const bool same = x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]));
    const double limit = tolerance.absolute + tolerance.relative * std::fabs(y[i]);
    if (!same && !(std::fabs(x[i] - y[i]) <= limit)) {
      return ::testing::AssertionFailure() << "element " << i << " is " << x[i] << ", not " << y[i];
    }
  }
  return ::testing::AssertionSuccess();
}

// The entries of a folder, in order.
inline std::vector<std::filesystem::path> Sorted(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries(std::filesystem::directory_iterator{folder},
                                             std::filesystem::directory_iterator{});
  std::sort(entries.begin(), entries.end());
  return entries;
}

// The models of tests/models; the folder beside each holds its inputs and outputs, by case.
inline std::vector<std::filesystem::path> SmallModels() {
  std::vector<std::filesystem::path> models = Sorted(SourcePath("tests/models"));
  std::erase_if(models, [](const auto& path) { return path.extension() != ".onnx"; });
  return models;
}

// input_0.npy, input_1.npy … as far as they go.
inline std::vector<Tensor> LoadNumbered(const std::filesystem::path& folder, const char* stem) {
  std::vector<Tensor> tensors;
  while (true) {
    const auto path = folder / Text(stem, "_", tensors.size(), ".npy");
    if (!std::filesystem::exists(path)) return tensors;
    tensors.push_back(data::LoadNpy(path).value());
  }
}

// Loads and runs a model as any user of the libraries does.
inline Result<std::vector<Tensor>> RunModel(const std::string& path, std::span<const Tensor> inputs,
                                            int threads = 2,
                                            const passes::PassOptions& options = {}) {
  PARE_ASSIGN(const auto model, model::Model::Load(path));
  PARE_ASSIGN(auto session,
              model::MakeSession(model.graph(), model::Context::Make(threads), options));
  std::vector<Tensor> outputs(model.graph().outputs().size());
  PARE_TRY(session->Run(inputs, outputs));
  return outputs;
}

}  // namespace pare
