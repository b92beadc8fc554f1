// What the tests of operators share: one node on constants.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "ops/op_def.h"
#include "ops/prepare.h"

namespace pare::ops {

// Infers and runs one node; an empty Tensor is an absent input. With kParameter the record sees
// operands that it may not compute with before the run.
inline Result<std::vector<Tensor>> RunNode(std::string op, const std::vector<Tensor>& inputs,
                                           graph::Attrs attrs = {}, int outputs = 1,
                                           graph::ValueKind kind = graph::ValueKind::kConstant) {
  graph::Graph graph;
  std::vector<graph::ValueId> ids;
  for (size_t i = 0; i < inputs.size(); ++i) {
    ids.push_back(inputs[i] ? graph.AddConstant(Text("x", i), inputs[i], kind)
                            : graph::ValueId::kNone);
  }
  std::vector<std::string> names;
  for (int i = 0; i < outputs; ++i) names.push_back(Text("y", i));
  const auto node = graph.AddNode(std::move(op), ids, names, std::move(attrs));
  PARE_TRY(InferTypes(graph));
  return Evaluate(graph, graph.node(node));
}

inline Tensor RandomTensor(Dims shape, uint32_t seed, float lo = -1, float hi = 1) {
  Tensor tensor = Tensor::Make(DType::kF32, std::move(shape)).value();
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> uniform(lo, hi);
  for (float& x : tensor.mutable_as<float>()) x = uniform(engine);
  return tensor;
}

// The tensor with its axes in another order.
inline Tensor Permuted(const Tensor& x, const std::vector<int>& order) {
  const int rank = x.rank();
  Dims shape(rank), strides(rank, 1);
  for (int i = rank - 2; i >= 0; --i) strides[i] = strides[i + 1] * x.shape()[i + 1];
  for (int i = 0; i < rank; ++i) shape[i] = x.shape()[order[i]];
  Tensor y = Tensor::Make(x.dtype(), shape).value();
  const size_t size = SizeOf(x.dtype());
  for (int64_t i = 0; i < y.count(); ++i) {
    int64_t rest = i, from = 0;
    for (int axis = rank; axis-- > 0;) {
      from += rest % shape[axis] * strides[order[axis]];
      rest /= shape[axis];
    }
    std::memcpy(y.mutable_data() + i * size, x.data() + from * size, size);
  }
  return y;
}
// N,C,spatial… ↔ N,spatial…,C.
inline Tensor ChannelsLast(const Tensor& x) {
  std::vector<int> order{0};
  for (int i = 2; i < x.rank(); ++i) order.push_back(i);
  order.push_back(1);
  return Permuted(x, order);
}
inline Tensor ChannelsFirst(const Tensor& x) {
  std::vector<int> order{0, x.rank() - 1};
  for (int i = 1; i < x.rank() - 1; ++i) order.push_back(i);
  return Permuted(x, order);
}

inline void ExpectNear(const Tensor& actual, const Tensor& expected, double tolerance) {
  ASSERT_EQ(actual.shape(), expected.shape());
  ASSERT_EQ(actual.dtype(), expected.dtype());
  for (int64_t i = 0; i < actual.count(); ++i) {
    const float a = actual.as<float>()[i], e = expected.as<float>()[i];
    ASSERT_NEAR(a, e, tolerance) << "at " << i;
  }
}
inline void ExpectSame(const Tensor& actual, const Tensor& expected) {
  EXPECT_EQ(actual.shape(), expected.shape());
  EXPECT_TRUE(graph::SameTensor(actual, expected));
}

inline Tensor RunNodeOrFail(const std::string& op, const std::vector<Tensor>& inputs,
                            graph::Attrs attrs = {}) {
  auto result = RunNode(op, inputs, std::move(attrs));
  if (!result) {
    ADD_FAILURE() << result.error().message();
    return {};
  }
  return (*result)[0];
}

template <typename T>
void ExpectTensor(const Tensor& actual, const Dims& shape, const std::vector<T>& values) {
  ASSERT_EQ(actual.dtype(), DTypeOf<T>);
  EXPECT_EQ(actual.shape(), shape);
  ASSERT_EQ(actual.count(), std::ssize(values));
  for (size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_floating_point_v<T>) {
      const T got = actual.as<T>()[i], want = values[i];
      EXPECT_TRUE(got == want || std::abs(got - want) <= 1e-5 + 1e-5 * std::abs(want))
          << "at " << i << ": " << got << " instead of " << want;
    } else {
      EXPECT_EQ(actual.as<T>()[i], values[i]) << "at " << i;
    }
  }
}

}  // namespace pare::ops
