// Random small networks: whatever the passes make of them must compute the same. A failure prints
// the seed and the graph as text, which is a text test in the making.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "graph/text.h"
#include "graph/verify.h"
#include "passes/bind.h"
#include "passes/pipeline.h"
#include "passes/testing.h"

namespace pare::passes {
namespace {

using graph::Attrs;
using graph::Dim;
using graph::Graph;
using graph::Ints;
using graph::ValueId;

class RandomNetwork {
 public:
  explicit RandomNetwork(uint32_t seed) : generator_(seed) {}

  Graph Make() {
    const Dim n = Dim::Symbol(graph_.AddSymbol("N"));
    const int64_t channels = 4, size = 6 + Below(3);
    images_.push_back({graph_.AddInput("x", {DType::kF32, graph::Shape{n, channels, size, size}}),
                       channels, size});
    const int layers = 4 + static_cast<int>(Below(9));
    for (int i = 0; i < layers; ++i) AddLayer();
    AddHead();
    const Image& image = images_[static_cast<size_t>(Below(images_.size()))];
    if (image.value != graph_.inputs()[0] && Below(2)) graph_.AddOutput(image.value, "image");
    if (Below(3) == 0) {
      const ValueId pinned = images_[static_cast<size_t>(Below(images_.size()))].value;
      if (pinned != graph_.inputs()[0]) graph_.SetPinned(pinned, true);
    }
    return std::move(graph_);
  }

 private:
  struct Image {
    ValueId value;
    int64_t channels, size;
  };

  int64_t Below(size_t limit) { return static_cast<int64_t>(generator_() % limit); }
  Tensor Random(Dims dims, double low, double high) {
    std::vector<float> values(static_cast<size_t>(CountOf(dims).value()));
    for (float& value : values) {
      value = static_cast<float>(low + (high - low) * (generator_() / 4294967296.0));
    }
    return Tensor::Of<float>(std::move(dims), values);
  }
  ValueId Constant(Tensor tensor) { return graph_.AddConstant(graph_.FreshName("c"), tensor); }
  ValueId Weights(Dims dims) { return Constant(Random(std::move(dims), -0.5, 0.5)); }
  ValueId Scalar(float value) { return Constant(Tensor::Scalar<float>(value)); }
  ValueId Node(std::string op, std::vector<ValueId> inputs, Attrs attrs = {}) {
    return graph_.node(graph_.AddNode(std::move(op), std::move(inputs), {""}, std::move(attrs)))
        .outputs[0];
  }

  void AddLayer() {
    // Mostly onwards from the newest, sometimes from an older one.
    const size_t from = Below(4) ? images_.size() - 1 : static_cast<size_t>(Below(images_.size()));
    const Image x = images_[from];
    switch (Below(12)) {
      case 0:
      case 1:
      case 2:
        return AddConv(x);
      case 3:
        return AddNorm(x);
      case 4:
      case 5:
        return AddActivation(x);
      case 6:
        return AddPool(x);
      case 7:
      case 8:
        return AddSum(x);
      case 9:
        return AddGate(x);
      case 10:
        return AddConcat(x);
      default:
        return AddMove(x);
    }
  }

  void AddConv(const Image& x) {
    const bool depthwise = Below(3) == 0;
    const int64_t kernel = Below(2) ? 3 : 1, stride = x.size > 4 && Below(3) == 0 ? 2 : 1;
    const int64_t out = depthwise ? x.channels : 4 * (1 + Below(2)), pad = kernel / 2;
    const int64_t group = depthwise ? x.channels : 1;
    std::vector<ValueId> inputs = {x.value, Weights({out, x.channels / group, kernel, kernel})};
    if (Below(2)) inputs.push_back(Weights({out}));
    const ValueId y = Node(
        "Conv", inputs,
        {{"group", group}, {"pads", Ints{pad, pad, pad, pad}}, {"strides", Ints{stride, stride}}});
    images_.push_back({y, out, (x.size - 1) / stride + 1});
  }

  void AddNorm(const Image& x) {
    if (Below(3) == 0) {
      const ValueId c = Weights({x.channels, 1, 1});
      images_.push_back({Node(Below(2) ? "Mul" : "Add", {x.value, c}), x.channels, x.size});
      return;
    }
    const Dims dims = {x.channels};
    images_.push_back(
        {Node("BatchNormalization", {x.value, Constant(Random(dims, 0.5, 1.5)), Weights(dims),
                                     Weights(dims), Constant(Random(dims, 0.5, 2))}),
         x.channels, x.size});
  }

  void AddActivation(const Image& x) {
    ValueId y = ValueId::kNone;
    switch (Below(6)) {
      case 0:
        y = Node("Relu", {x.value});
        break;
      case 1:
        y = Node("Clip", {x.value, Scalar(0), Scalar(6)});
        break;
      case 2:
        y = Node("LeakyRelu", {x.value}, {{"alpha", 0.125f}});
        break;
      case 3:
        y = Node("Mul", {x.value, Node("Sigmoid", {x.value})});
        break;
      case 4: {
        const ValueId clip =
            Node("Clip", {Node("Add", {x.value, Scalar(3)}), Scalar(0), Scalar(6)});
        y = Node("Div", {Node("Mul", {x.value, clip}), Scalar(6)});
        break;
      }
      default:
        y = Node("Tanh", {x.value});
    }
    images_.push_back({y, x.channels, x.size});
  }

  void AddPool(const Image& x) {
    if (x.size < 4) return AddActivation(x);
    const ValueId y = Node(Below(2) ? "MaxPool" : "AveragePool", {x.value},
                           {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    images_.push_back({y, x.channels, x.size / 2});
  }

  // With any other image of the same shape, or with itself.
  void AddSum(const Image& x) {
    std::vector<ValueId> others;
    for (const Image& image : images_) {
      if (image.channels == x.channels && image.size == x.size) others.push_back(image.value);
    }
    const ValueId other = others[static_cast<size_t>(Below(others.size()))];
    images_.push_back({Node(Below(4) ? "Add" : "Mul", {x.value, other}), x.channels, x.size});
  }

  void AddGate(const Image& x) {
    const ValueId pooled = Node("GlobalAveragePool", {x.value});
    const ValueId squeezed = Node("Conv", {pooled, Weights({x.channels, x.channels, 1, 1})});
    const ValueId gate = Node("Sigmoid", {squeezed});
    images_.push_back({Node("Mul", {x.value, gate}), x.channels, x.size});
  }

  void AddConcat(const Image& x) {
    if (x.channels > 8) return AddConv(x);
    const ValueId y = Node("Concat", {x.value, Node("Relu", {x.value})}, {{"axis", int64_t{1}}});
    images_.push_back({y, 2 * x.channels, x.size});
  }

  void AddMove(const Image& x) {
    ValueId y = x.value;
    switch (Below(3)) {
      case 0:
        y = Node("Identity", {Node("Tanh", {x.value})});
        break;
      case 1:
        y = Node("Transpose",
                 {Node("Relu", {Node("Transpose", {x.value}, {{"perm", Ints{0, 2, 3, 1}}})})},
                 {{"perm", Ints{0, 3, 1, 2}}});
        break;
      default: {
        const auto shape = Constant(Tensor::Of<int64_t>({4}, {0, x.channels, x.size, x.size}));
        y = Node("Reshape", {Node("Sigmoid", {x.value}), shape});
      }
    }
    images_.push_back({y, x.channels, x.size});
  }

  void AddHead() {
    const Image x = images_.back();
    ValueId flat = ValueId::kNone;
    int64_t width = x.channels;
    if (Below(2)) {
      flat = Node("Flatten", {Node("GlobalAveragePool", {x.value})});
    } else {
      flat = Node("Flatten", {x.value});
      width *= x.size * x.size;
    }
    const ValueId product = Node("MatMul", {flat, Weights({width, 5})});
    const ValueId logits = Node("Add", {product, Weights({5})});
    graph_.AddOutput(Below(2) ? Node("Softmax", {logits}) : logits, "y");
  }

  std::mt19937 generator_;
  Graph graph_;
  std::vector<Image> images_;
};

// Quantizes what a network computes: every result of most operators passes through Q/DQ of u8 or
// i8, and so do weights and biases. Scales are drawn, not calibrated: some values saturate.
class Quantizer {
 public:
  Quantizer(Graph& graph, uint32_t seed) : graph_(graph), generator_(seed) {}

  void Run() {
    for (graph::NodeId id : graph_.Order()) {
      const graph::Node node = graph_.node(id);
      const bool product = node.op == "Conv" || node.op == "MatMul";
      if (product) graph_.SetInput(id, 1, Weights(node.inputs[1], node.op == "Conv" ? 0 : 1));
      const bool skipped = node.op == "BatchNormalization" || node.op == "Softmax" || Below(8) == 0;
      if (!skipped) QuantizeUses(node.outputs[0]);
    }
    QuantizeUses(graph_.inputs()[0]);
  }

 private:
  int64_t Below(size_t limit) { return static_cast<int64_t>(generator_() % limit); }
  ValueId Constant(Tensor tensor) { return graph_.AddConstant(graph_.FreshName("q"), tensor); }
  ValueId Dequantize(ValueId q, ValueId scale, ValueId zero, int64_t axis) {
    return graph_.node(graph_.AddNode("DequantizeLinear", {q, scale, zero}, {""}, {{"axis", axis}}))
        .outputs[0];
  }

  void QuantizeUses(ValueId value) {
    const std::vector<graph::Use> uses = graph_.value(value).uses;
    const ValueId scale = Constant(Tensor::Scalar<float>(Below(2) ? 0.03125f : 0.05f));
    const auto zero_point = static_cast<int>(90 + Below(60));
    const ValueId zero =
        Below(2) ? Constant(Tensor::Scalar<uint8_t>(static_cast<uint8_t>(zero_point)))
                 : Constant(Tensor::Scalar<int8_t>(static_cast<int8_t>(zero_point - 128)));
    const ValueId q =
        graph_.node(graph_.AddNode("QuantizeLinear", {value, scale, zero}, {""})).outputs[0];
    const ValueId dq = Dequantize(q, scale, zero, 1);
    for (const graph::Use& use : uses) graph_.SetInput(use.node, use.input, dq);
    for (size_t i = 0; i < graph_.outputs().size(); ++i) {
      if (graph_.outputs()[i].value == value) graph_.SetOutputValue(static_cast<int>(i), dq);
    }
  }

  // Asymmetric u8 for the whole tensor, or symmetric i8 for each channel.
  ValueId Weights(ValueId weights, int64_t axis) {
    const Tensor w = graph_.value(weights).data;
    const auto values = w.as<float>();
    if (Below(2)) {
      std::vector<uint8_t> q;
      for (float v : values) {
        q.push_back(
            static_cast<uint8_t>(std::clamp(std::nearbyint(v / 0.00390625f) + 120, 0.0f, 255.0f)));
      }
      return Dequantize(Constant(Tensor::Of<uint8_t>(w.shape(), q)),
                        Constant(Tensor::Scalar<float>(0.00390625f)),
                        Constant(Tensor::Scalar<uint8_t>(120)), axis);
    }
    std::vector<int8_t> q;
    for (float v : values) q.push_back(static_cast<int8_t>(std::nearbyint(v * 200)));
    const Dims channels = {w.shape()[static_cast<size_t>(axis)]};
    const std::vector<float> scales(static_cast<size_t>(channels[0]), 0.005f);
    return Dequantize(Constant(Tensor::Of<int8_t>(w.shape(), q)),
                      Constant(Tensor::Of<float>(channels, scales)),
                      Constant(Tensor::Zeros(DType::kI8, channels).value()), axis);
  }

  Graph& graph_;
  std::mt19937 generator_;
};

using Outputs = std::map<std::string, Tensor>;

void ExpectSame(const Graph& plain, const Outputs& expected, const Graph& changed,
                std::span<const Tensor> inputs, double tolerance, const char* what) {
  const auto actual = EvaluatePlainly(changed, inputs);
  ASSERT_TRUE(actual) << actual.error().message() << '\n' << graph::Print(changed);
  EXPECT_EQ(Difference(expected, *actual, tolerance), "") << what << " of\n"
                                                          << graph::Print(plain) << "is\n"
                                                          << graph::Print(changed);
}

TEST(RandomNetworks, ComputeTheSameThroughAllPasses) {
  const PassOptions verify{.switches = "", .verify = true};
  for (uint32_t seed = 1; seed <= 240 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(Text("seed ", seed));
    const Graph plain = RandomNetwork(seed).Make();
    const std::vector<Tensor> inputs = RandomInputs(plain, seed);
    const auto expected = EvaluatePlainly(plain, inputs);
    ASSERT_TRUE(expected) << expected.error().message() << '\n' << graph::Print(plain);
    Graph changed = plain;
    Status status = Simplify(changed, nullptr, verify);
    ASSERT_TRUE(status) << status.error().message() << '\n' << graph::Print(plain);
    ExpectSame(plain, *expected, changed, inputs, 1e-4, "Simplify");
    status = Optimize(changed, nullptr, verify);
    ASSERT_TRUE(status) << status.error().message() << '\n' << graph::Print(plain);
    ExpectSame(plain, *expected, changed, inputs, 1e-4, "Optimize");
    const Dims shape = inputs[0].shape();
    auto bound = BindShapes(changed, std::span(&shape, 1));
    ASSERT_TRUE(bound) << bound.error().message();
    status = Optimize(*bound, nullptr, verify);
    ASSERT_TRUE(status) << status.error().message() << '\n' << graph::Print(*bound);
    ExpectSame(plain, *expected, *bound, inputs, 1e-4, "Bind");
  }
}

double RootMeanSquare(const Tensor& a, const Tensor& b) {
  const auto x = a.as<float>(), y = b.as<float>();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += double{x[i] - y[i]} * double{x[i] - y[i]};
  return std::sqrt(sum / static_cast<double>(std::max<size_t>(1, x.size())));
}

// A rounding that falls the other way moves a value by one step, and all that follows by a little.
TEST(RandomNetworks, ComputeNearlyTheSameInIntegers) {
  const PassOptions verify{.switches = "", .verify = true};
  int integer_nodes = 0;
  for (uint32_t seed = 1; seed <= 120 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(Text("seed ", seed));
    Graph plain = RandomNetwork(seed).Make();
    Quantizer(plain, seed).Run();
    const std::vector<Tensor> inputs = RandomInputs(plain, seed);
    const auto expected = EvaluatePlainly(plain, inputs);
    ASSERT_TRUE(expected) << expected.error().message() << '\n' << graph::Print(plain);
    Graph changed = plain;
    Status status = Simplify(changed, nullptr, verify);
    if (status) status = Optimize(changed, nullptr, verify);
    ASSERT_TRUE(status) << status.error().message() << '\n' << graph::Print(plain);
    const auto actual = EvaluatePlainly(changed, inputs);
    ASSERT_TRUE(actual) << actual.error().message() << '\n' << graph::Print(changed);
    for (const auto& [name, want] : *expected) {
      const Tensor zero = Tensor::Zeros(DType::kF32, want.shape()).value();
      EXPECT_LE(RootMeanSquare(want, actual->at(name)), 0.05 + 0.1 * RootMeanSquare(want, zero))
          << name << " of\n"
          << graph::Print(plain) << "is\n"
          << graph::Print(changed);
    }
    for (graph::NodeId id : changed.Order()) {
      integer_nodes += changed.node(id).op.starts_with("pare.Q");
    }
  }
  EXPECT_GT(integer_nodes, 500);
}

}  // namespace
}  // namespace pare::passes
