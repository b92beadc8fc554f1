// Random small networks, random channels removed: for exact groups the smaller network computes
// what the whole one does with the removed channels' weights in their consumers at zero. A failure
// prints the seed and the graphs as text.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "compress/prune/testing.h"
#include "ops/prepare.h"

namespace pare::compress {
namespace {

using graph::Attrs;
using graph::Graph;
using graph::Ints;
using graph::ValueId;

class RandomChannels {
 public:
  explicit RandomChannels(uint32_t seed) : generator_(seed) {}

  int64_t Below(int64_t limit) { return static_cast<int64_t>(generator_()) % limit; }

  Graph Make() {
    input_ = graph_.AddInput("x", {DType::kF32, graph::ToShape(Dims{1, 3, 4, 4})});
    Conv({input_, 3, 4}, 8, 1, 1);
    for (int64_t layers = 3 + Below(5); layers > 0; --layers) AddLayer();
    AddHead();
    return std::move(graph_);
  }

 private:
  struct Image {
    ValueId value;
    int64_t channels, size;
  };

  ValueId Weights(Dims dims, double low = -0.5, double high = 0.5) {
    Tensor tensor = Tensor::Make(DType::kF32, std::move(dims)).value();
    for (float& x : tensor.mutable_as<float>()) {
      x = static_cast<float>(low + (high - low) * (generator_() / 4294967296.0));
    }
    return graph_.AddConstant(graph_.FreshName("w"), tensor);
  }
  ValueId Sizes(std::vector<int64_t> values) {
    return graph_.AddConstant(graph_.FreshName("s"),
                              Tensor::Of<int64_t>({std::ssize(values)}, values));
  }
  std::vector<ValueId> Nodes(std::string op, std::vector<ValueId> inputs, Attrs attrs, int count) {
    return graph_
        .node(graph_.AddNode(std::move(op), std::move(inputs),
                             std::vector<std::string>(static_cast<size_t>(count)),
                             std::move(attrs)))
        .outputs;
  }
  ValueId Node(std::string op, std::vector<ValueId> inputs, Attrs attrs = {}) {
    return Nodes(std::move(op), std::move(inputs), std::move(attrs), 1)[0];
  }
  Image Push(ValueId value, int64_t channels, int64_t size) {
    images_.push_back({value, channels, size});
    return images_.back();
  }

  Image Conv(Image x, int64_t out, int64_t kernel, int64_t group) {
    const int64_t pad = kernel / 2;
    std::vector<ValueId> inputs{x.value, Weights({out, x.channels / group, kernel, kernel})};
    if (Below(2)) inputs.push_back(Weights({out}));
    return Push(Node("Conv", inputs, {{"group", group}, {"pads", Ints{pad, pad, pad, pad}}}), out,
                x.size);
  }

  void AddLayer() {
    const Image x =
        Below(4) ? images_.back() : images_[static_cast<size_t>(Below(std::ssize(images_)))];
    if (x.channels < 4) {
      Conv(x, 8, 1, 1);
      return;
    }
    const bool even = x.channels % 2 == 0;
    switch (Below(15)) {
      case 0:
        Conv(x, 4 * (1 + Below(3)), 1 + 2 * Below(2), 1);
        return;
      case 1:
        Conv(x, x.channels * (1 + Below(2)), 3, x.channels);  // depthwise
        return;
      case 2:
        Conv(x, 8, 1, even ? 2 : 1);
        return;
      case 3:
        return AddNorm(x);
      case 4:
        Push(Node(Below(2) ? "Sigmoid" : "Relu", {x.value}), x.channels, x.size);
        return;
      case 5:
      case 6:
        return AddResidual(x);
      case 7:
        return AddGate(x);
      case 8:
        return AddConcat(x);
      case 9:
        return AddSplit(x);
      case 10:
        return AddPaddedShortcut(x);
      case 11:
        return AddShuffle(x);
      case 12:
        return AddBlocks(x);
      case 13:
        return AddUpsampling(x);
      default:
        return AddMove(x);
    }
  }

  void AddNorm(Image x) {
    const int64_t c = x.channels;
    if (c % 2 == 0 && Below(2)) {
      const ValueId y = Node("GroupNormalization", {x.value, Weights({c}), Weights({c})},
                             {{"num_groups", c / 2}});
      Push(y, c, x.size);
      return;
    }
    Push(Node("BatchNormalization",
              {x.value, Weights({c}), Weights({c}), Weights({c}), Weights({c}, 0.5, 2)}),
         c, x.size);
  }
  void AddResidual(Image x) {
    const Image inner = Conv(x, 4, 3, 1);
    const Image branch = Conv({Node("Relu", {inner.value}), 4, x.size}, x.channels, 1, 1);
    Push(Node("Add", {x.value, branch.value}), x.channels, x.size);
  }
  void AddGate(Image x) {
    const Image pooled{Node("GlobalAveragePool", {x.value}), x.channels, 1};
    const Image narrow = Conv(pooled, 4, 1, 1);
    const Image wide = Conv({Node("Relu", {narrow.value}), 4, 1}, x.channels, 1, 1);
    const ValueId gate = Node("Sigmoid", {wide.value});
    images_.resize(images_.size() - 2);  // nothing else reads one pixel
    Push(Node("Mul", {x.value, gate}), x.channels, x.size);
  }
  void AddConcat(Image x) {
    const Image other = Conv(x, 4, 1, 1);
    Push(Node("Concat", {x.value, other.value}, {{"axis", int64_t{1}}}), x.channels + 4, x.size);
  }
  void AddSplit(Image x) {
    const int64_t half = x.channels / 2;
    const bool even = x.channels % 2 == 0;
    const auto parts =
        even && Below(2)
            ? Nodes("Split", {x.value}, {{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}}, 2)
            : Nodes("Split", {x.value, Sizes({half, x.channels - half})}, {{"axis", int64_t{1}}},
                    2);
    if (even && Below(2)) {
      Push(Node("Mul", {Node("Sigmoid", {parts[0]}), parts[1]}), half, x.size);
    } else {
      const Image a = Conv({parts[0], half, x.size}, 4, 1, 1);
      Push(Node("Concat", {a.value, parts[1]}, {{"axis", int64_t{1}}}), 4 + x.channels - half,
           x.size);
    }
  }
  void AddPaddedShortcut(Image x) {
    const ValueId wide = Node("Pad", {x.value, Sizes({0, 2, 0, 0, 0, 3, 0, 0})});
    const Image branch = Conv(x, x.channels + 5, 3, 1);
    Push(Node("Add", {wide, branch.value}), x.channels + 5, x.size);
  }
  // Channels as [2, c / 2], swapped.
  void AddShuffle(Image x) {
    if (x.channels % 2 != 0) return AddResidual(x);
    const int64_t half = x.channels / 2;
    const ValueId split = Node("Reshape", {x.value, Sizes({1, 2, half, x.size, x.size})});
    const ValueId swapped = Node("Transpose", {split}, {{"perm", Ints{0, 2, 1, 3, 4}}});
    Push(Node("Reshape", {swapped, Sizes({1, -1, x.size, x.size})}), x.channels, x.size);
  }
  void AddBlocks(Image x) {
    const ValueId deep = Node("SpaceToDepth", {x.value}, {{"blocksize", int64_t{2}}});
    const Image mixed = Conv({deep, 4 * x.channels, x.size / 2}, 16, 1, 1);
    const ValueId y = Node("DepthToSpace", {mixed.value},
                           {{"blocksize", int64_t{2}}, {"mode", Below(2) ? "DCR" : "CRD"}});
    images_.pop_back();
    Push(y, 4, x.size);
  }
  // Twice as large, and pooled to what it was.
  void AddUpsampling(Image x) {
    const int64_t size = 2 * x.size;
    Image up{ValueId::kNone, 6, size};
    const auto transposed = [&](int64_t group) {
      const ValueId weights = Weights({x.channels, up.channels / group, 2, 2});
      up.value =
          Node("ConvTranspose", {x.value, weights}, {{"group", group}, {"strides", Ints{2, 2}}});
    };
    switch (Below(4)) {
      case 0:
        up.channels = x.channels;
        up.value = Node("Resize", {x.value, ValueId::kNone, ValueId::kNone,
                                   Sizes({1, x.channels, size, size})});
        break;
      case 1:
        transposed(1);
        break;
      case 2:
        transposed(x.channels % 2 == 0 ? 2 : 1);
        break;
      default:
        up.channels = x.channels * (1 + Below(2));
        transposed(x.channels);
    }
    const ValueId pooled =
        Node("MaxPool", {up.value}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
    Push(pooled, up.channels, x.size);
  }
  void AddMove(Image x) {
    if (Below(2)) {
      std::vector<int64_t> order;
      for (int64_t i = 0; i < x.channels; ++i) order.push_back((i * 3 + 1) % x.channels);
      Push(Node("Gather", {x.value, Sizes(order)}, {{"axis", int64_t{1}}}), x.channels, x.size);
      return;
    }
    const int64_t begin = 1 + Below(2);
    Push(Node("Slice", {x.value, Sizes({begin}), Sizes({x.channels}), Sizes({1})}),
         x.channels - begin, x.size);
  }

  void AddHead() {
    const Image x = images_.back();
    ValueId flat = ValueId::kNone;
    int64_t width = x.channels;
    switch (Below(3)) {
      case 0:
        flat = Node("Flatten", {Node("GlobalAveragePool", {x.value})});
        break;
      case 1:
        flat = Node("Flatten", {x.value});
        width *= x.size * x.size;
        break;
      default:
        flat = Attention(x);
        width = 8 * x.size * x.size;
    }
    graph_.AddOutput(Node("MatMul", {flat, Weights({width, 3})}), "y");
  }

  struct Heads {
    ValueId query, key, value;  // [1, 2, pixels, 4], keys [1, 2, 4, pixels]
  };
  Heads HeadsOfThreeProducts(ValueId rows, int64_t channels) {
    const auto heads = [&](Ints perm) {
      const ValueId y = Node("MatMul", {rows, Weights({channels, 8})});
      return Node("Transpose", {Node("Reshape", {y, Sizes({0, 0, 2, 4})})},
                  {{"perm", std::move(perm)}});
    };
    return {heads({0, 2, 1, 3}), heads({0, 2, 3, 1}), heads({0, 2, 1, 3})};
  }
  Heads HeadsOfOneProduct(ValueId rows, int64_t channels) {
    const ValueId y = Node("MatMul", {rows, Weights({channels, 24})});
    const ValueId apart = Node("Transpose", {Node("Reshape", {y, Sizes({0, 0, 3, 2, 4})})},
                               {{"perm", Ints{2, 0, 3, 1, 4}}});
    const auto pick = [&](int64_t which) {
      const auto index = Tensor::Of<int64_t>({}, {which});
      return Node("Gather", {apart, graph_.AddConstant(graph_.FreshName("s"), index)});
    };
    return {pick(0), Node("Transpose", {pick(1)}, {{"perm", Ints{0, 1, 3, 2}}}), pick(2)};
  }

  // Two heads of four over the pixels.
  ValueId Attention(Image x) {
    const int64_t pixels = x.size * x.size;
    const ValueId rows = Node("Transpose", {Node("Reshape", {x.value, Sizes({1, x.channels, -1})})},
                              {{"perm", Ints{0, 2, 1}}});
    const auto [query, key, value] =
        Below(2) ? HeadsOfOneProduct(rows, x.channels) : HeadsOfThreeProducts(rows, x.channels);
    const ValueId weights =
        Node("Softmax", {Node("MatMul", {query, key})}, {{"axis", int64_t{-1}}});
    const ValueId mixed =
        Node("Transpose", {Node("MatMul", {weights, value})}, {{"perm", Ints{0, 2, 1, 3}}});
    const ValueId joined = Node("Reshape", {mixed, Sizes({1, pixels, 8})});
    return Node("Flatten", {Node("MatMul", {joined, Weights({8, 8})})});
  }

  std::mt19937 generator_;
  Graph graph_;
  ValueId input_ = ValueId::kNone;
  std::vector<Image> images_;
};

Result<Tensor> OutputOf(Graph graph, const Tensor& x) {
  graph.ReplaceUses(graph.inputs()[0], graph.AddConstant("", x));
  ops::KnownDims dims;
  for (graph::NodeId id : graph.Order()) {
    PARE_TRY(ops::InferNode(graph, id, dims));
    PARE_ASSIGN(const auto results, ops::Evaluate(graph, graph.node(id)));
    const auto outputs = graph.node(id).outputs;
    for (size_t i = 0; i < outputs.size(); ++i) graph.MakeConstant(outputs[i], results[i]);
  }
  return graph.value(graph.outputs()[0].value).data;
}

TEST(RandomRemoval, ComputesWhatTheWholeDoesWithoutTheRemovedChannels) {
  int removals = 0, groups = 0;
  for (uint32_t seed = 1; seed <= 1000 && !testing::Test::HasFailure(); ++seed) {
    RandomChannels random(seed);
    Graph graph = random.Make();
    const Status typed = ops::InferTypes(graph);
    ASSERT_TRUE(typed) << typed.error().message() << graph::Print(graph);
    graph.RemoveDead();
    const Channels channels = Channels::Of(graph);
    std::vector<KeptUnits> kept;
    for (int i = 0; i < std::ssize(channels.groups()); ++i) {
      const UnitGroup& group = channels.groups()[i];
      if (!group.prunable || !group.exact || random.Below(3) == 0) continue;
      KeptUnits units{i, {}};
      for (int64_t unit = 0; unit < group.size; ++unit) {
        if (random.Below(2)) units.units.push_back(unit);
      }
      if (units.units.empty()) units.units.push_back(group.size - 1);
      groups += std::ssize(units.units) < group.size;
      kept.push_back(std::move(units));
    }
    const auto smaller = RemoveChannels(graph, channels, kept);
    ASSERT_TRUE(smaller) << "seed " << seed << ": " << smaller.error().message() << '\n'
                         << graph::Print(graph) << ChannelsText(channels);
    Tensor x = Tensor::Make(DType::kF32, {1, 3, 4, 4}).value();
    for (float& value : x.mutable_as<float>())
      value = 0.01f * static_cast<float>(random.Below(200));
    const auto expected = OutputOf(WithoutContributions(graph, channels, kept), x);
    const auto actual = OutputOf(*smaller, x);
    ASSERT_TRUE(expected) << expected.error().message();
    ASSERT_TRUE(actual) << actual.error().message() << graph::Print(*smaller);
    removals += !kept.empty();
    double range = 1e-3;
    for (float value : expected->as<float>()) range = std::max(range, std::abs(double{value}));
    for (size_t i = 0; i < expected->as<float>().size(); ++i) {
      ASSERT_NEAR(expected->as<float>()[i], actual->as<float>()[i], 1e-4 * range)
          << "seed " << seed << '\n'
          << graph::Print(graph) << "is\n"
          << graph::Print(*smaller) << ChannelsText(channels);
    }
  }
  EXPECT_GT(removals, 900);
  EXPECT_GT(groups, 2000);
}

}  // namespace
}  // namespace pare::compress
