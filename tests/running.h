// What the tests across rooms share: files beside them, running a model, comparing with what was
// expected.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "data/npy.h"
#include "model/model.h"

namespace pare {

inline std::filesystem::path SourcePath(const std::string& below) {
  return std::filesystem::path(PARE_SOURCE_DIR) / below;
}

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
