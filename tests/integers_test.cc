// What is decided to be integer runs in integers, under the names and with the figures of its
// layers.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "compress/compare.h"
#include "compress/quantize/quantize.h"
#include "passes/function_table.h"
#include "running.h"

namespace pare {
namespace {

// Operators of one operand that a table replaces.
std::vector<std::string> OperatorsOfTables() {
  std::vector<std::string> names;
  for (const ops::OpDef* op : ops::AllOps()) {
    const bool one = op->inputs[1].name.empty() && op->quant.integer;
    if (one && !op->name.ends_with("AveragePool")) names.emplace_back(op->name);
  }
  return names;
}

TEST(Integers, EveryFunctionThatMayBeATableHasOneOfItsValues) {
  std::vector<float> x;  // 0, halves and whole numbers among them, where functions end or jump
  for (int i = -40; i <= 40; ++i) x.push_back(static_cast<float>(i) * 0.125f);
  const std::vector<std::string> names = OperatorsOfTables();
  EXPECT_GT(names.size(), 35u);
  for (const std::string& name : names) {
    auto graph = graph::Parse(Text("input x: f32[81]\ny = ", name, "(x)\noutput y\n"));
    ASSERT_TRUE(graph) << graph.error().message();
    ASSERT_TRUE(ops::InferTypes(*graph)) << name;
    const auto function =
        passes::UnaryFunctionOf(*graph, *graph->producer_of(graph->outputs()[0].value));
    ASSERT_TRUE(function) << name;
    auto session = model::MakeSession(*graph, model::Context::Make(1));
    ASSERT_TRUE(session) << session.error().message();
    std::vector<Tensor> y(1);
    ASSERT_TRUE((*session)->Run(std::vector{Tensor::Of<float>({81}, x)}, y));
    for (size_t i = 0; i < x.size(); ++i) {
      const double want = y[0].as<float>()[i], is = function->f(x[i]);
      SCOPED_TRACE(Text(name, '(', x[i], ')'));
      if (std::isfinite(want)) {
        EXPECT_NEAR(is, want, 2e-6 * std::max(1.0, std::abs(want)));
      } else {
        EXPECT_TRUE(std::isnan(want) ? std::isnan(is) : is == want) << is << " for " << want;
      }
    }
  }
}

struct Network {
  const char* what;
  const char* text;
  std::map<std::string, std::string> expected;  // the precision of each layer
  // Whether its figures are there on both sides.
  std::vector<std::string> timed;
  std::vector<std::string> keep_float = {};
};

const Network kNetworks[] = {
    {"an average that counts the padding, with and without ceil_mode",
     R"(
opset 17
input x: f32[N,3,6,6]
const w0: f32[4,3,1,1] = random(1, -1, 1)
const w1: f32[4,4,1,1] = random(2, -1, 1)
const w2: f32[4,4,1,1] = random(3, -1, 1)
a = Conv(x, w0)
p = AveragePool(a) {kernel_shape=[3,3], strides=[2,2], ceil_mode=1, count_include_pad=1}
b = Conv(p, w1)
q = AveragePool(b) {kernel_shape=[3,3], pads=[1,1,1,1], count_include_pad=1}
c = Conv(q, w2)
output c
)",
     {{"a", "int8"}, {"p", "float32"}, {"b", "int8"}, {"q", "int8"}, {"c", "int8"}},
     {"a", "b", "c"}},
    {"a mean over three axes, and a clamp that is a layer of its own",
     R"(
opset 17
input x: f32[N,3,4,4,4]
input z: f32[N,3,8,8]
const w0: f32[4,3] = random(1, -1, 1)
const w1: f32[4,3,1,1] = random(2, -1, 1)
const w2: f32[4,4,1,1] = random(3, -1, 1)
g = GlobalAveragePool(x)
f = Flatten(g)
a = Gemm(f, w0) {transB=1}
b = Conv(z, w1)
m = MaxPool(b) {kernel_shape=[2,2], strides=[2,2]}
r = Relu(m)
c = Conv(r, w2)
output a
output c
)",
     {{"g", "float32"}, {"a", "int8"}, {"b", "int8"}, {"r", "int8"}, {"c", "int8"}},
     {"a", "b", "r", "c"}},
    {"products with an all but dead channel, a residual behind, and a vector that is computed",
     R"(
opset 17
input x: f32[N,5,4]
input v: f32[6]
const w0: f32[4,4] = [1e-9,0.5,1,-1, 1e-9,0.25,-1,0.5, 1e-9,-0.5,1,1, -1e-9,0.1,0.5,1]
const b0: f32[4] = [0.1,-0.5,0,1]
const w1: f32[4,6] = random(1, -1, 1)
const one: f32[4] = fill(1)
p = MatMul(x, w0)
a = Add(p, b0)
s = Add(a, x)
n = LayerNormalization(s, one) {axis=-1}
q = MatMul(n, w1)
c = Add(q, v)
d = Softmax(c)
output d
)",
     {{"a", "int8"},
      {"s", "float32"},
      {"n", "float32"},
      {"q", "int8"},
      {"c", "float32"},
      {"d", "float32"}},
     {"a", "s"}},
    {"a Split of which only the second part goes on in integers",
     R"(
opset 17
input x: f32[N,4,6,6]
const w0: f32[4,4,1,1] = random(1, -1, 1)
const w1: f32[4,2,1,1] = random(2, -1, 1)
a = Conv(x, w0)
s = Add(a, x)
u, t = Split(s) {axis=1, num_outputs=2}
e = Softmax(u)
c = Conv(t, w1)
output e
output c
)",
     {{"a", "int8"}, {"s", "int8"}, {"e", "float32"}, {"c", "int8"}},
     {"a", "s", "c"}},
    {"an output that is cast",
     R"(
opset 17
input x: f32[N,8]
const w0: f32[8,8] = random(1, -1, 1)
const w1: f32[8,4] = random(2, -1, 1)
a = Gemm(x, w0)
b = Gemm(a, w1)
c = Cast(b) {to=11}
output c
)",
     {{"a", "int8"}, {"c", "int8"}},
     {"a", "c"}},
    {"functions of numbers that are scaled by channel",
     R"(
opset 17
input x: f32[N,3,6,6]
const w0: f32[4,3,1,1] = random(1, -1, 1)
const k: f32[4,1,1] = [0.5,1,1.5,2]
const w1: f32[4,4,1,1] = random(2, -1, 1)
a = Conv(x, w0)
s = Sigmoid(a)
m = Mul(s, k)
z = LeakyRelu(m)
c = Conv(z, w1)
output c
)",
     {{"a", "int8"}, {"s", "int8"}, {"m", "int8"}, {"z", "int8"}, {"c", "int8"}},
     {"a", "s", "m", "z", "c"}},
    {"functions that few models have",
     R"(
opset 24
input x: f32[N,3,6,6]
const w0: f32[4,3,1,1] = random(1, -1, 1)
const w1: f32[4,4,1,1] = random(2, -1, 1)
const w2: f32[4,4,1,1] = random(3, -1, 1)
a = Conv(x, w0)
b = Swish(a)
c = Conv(b, w1)
d = Sin(c)
e = Conv(d, w2)
output e
)",
     {{"a", "int8"}, {"b", "int8"}, {"c", "int8"}, {"d", "int8"}, {"e", "int8"}},
     {"a", "b", "c", "d", "e"}},
    {"a function that has no value beyond an end, up to which its operand goes",
     R"(
opset 17
input x: f32[N,8]
const w0: f32[8,8] = random(1, -1, 1)
const w1: f32[8,4] = random(2, -1, 1)
const w2: f32[8,4] = random(3, -1, 1)
const lo: f32[] = -1
const hi: f32[] = 1
a = Gemm(x, w0)
s = Clip(a, lo, hi)
t = Asin(s)
c = Gemm(t, w1)
d = Gemm(s, w2)
output c
output d
)",
     {{"s", "int8"}, {"t", "int8"}, {"c", "int8"}, {"d", "int8"}},
     {"t", "c", "d"}},
    {"bytes that are dequantized ahead of float layers, and a table of them",
     R"(
opset 17
input x: u8[N,3,6,6]
input i: i64[N,5]
const s: f32[] = 0.0078125
const z: u8[] = 128
const w0: f32[4,3,1,1] = random(1, -1, 1)
const table: i8[16,8] = random(2, -127, 127)
const w1: f32[8,4] = random(3, -1, 1)
f = DequantizeLinear(x, s, z)
a = Conv(f, w0)
d = DequantizeLinear(table, s)
e = Gather(d, i)
c = MatMul(e, w1)
output a
output c
)",
     {{"a", "int8"}, {"c", "int8"}},
     {"a", "c"}},
    {"what is wanted in float, and what has no rule, between integers",
     R"(
opset 17
input x: f32[N,3,6,6]
const w0: f32[4,3,1,1] = random(1, -1, 1)
const w1: f32[4,4,1,1] = random(2, -1, 1)
const w2: f32[4,4,1,1] = random(3, -1, 1)
const w3: f32[4,4,1,1] = random(4, -1, 1)
const six: f32[] = 6
a = Conv(x, w0)
s = Sigmoid(a)
b = Conv(s, w1)
r = Add(b, a)
c = Conv(r, w2)
d = Min(c, six)
e = Conv(d, w3)
output e
)",
     {{"a", "int8"},
      {"s", "int8"},
      {"b", "int8"},
      {"r", "int8"},
      {"c", "int8"},
      {"d", "int8"},
      {"e", "int8"}},
     {"a", "s", "b", "r", "c", "d", "e"},
     {"Sigmoid", "Add"}},
};

void PrintTo(const Network& network, std::ostream* out) { *out << network.what; }

class IntegerLayers : public ::testing::TestWithParam<Network> {};

Tensor RandomOf(const Dims& shape, uint32_t seed) {
  std::vector<float> values(static_cast<size_t>(CountOf(shape).value()));
  std::mt19937 generator(seed);
  for (float& value : values) value = static_cast<float>(generator() / 2147483648.0) - 1;
  return Tensor::Of<float>(shape, values);
}

// Bytes anywhere, or indices of at least 16 rows.
Tensor IntegersOf(const Dims& shape, DType dtype) {
  std::vector<int64_t> values(static_cast<size_t>(CountOf(shape).value()));
  std::mt19937 generator(1);
  for (int64_t& value : values) value = generator() % (dtype == DType::kU8 ? 256 : 16);
  return Cast(Tensor::Of<int64_t>(shape, values), dtype).value();
}

// 40 samples; what has no batch is the same for all.
std::shared_ptr<const data::Dataset> SamplesOf(const graph::Graph& graph) {
  std::vector<data::SampleInput> arrays;
  for (const graph::ValueId id : graph.inputs()) {
    Dims shape = {40};
    for (const graph::Dim dim : *graph.value(id).type.shape)
      if (dim.known()) shape.push_back(dim.size());
    const DType dtype = graph.value(id).type.dtype;
    arrays.push_back({graph.value(id).name,
                      dtype == DType::kF32 ? RandomOf(shape, static_cast<uint32_t>(shape.size()))
                                           : IntegersOf(shape, dtype)});
  }
  return data::DatasetOf(std::move(arrays), {}).value();
}

using Precisions = std::map<std::string, std::string>;  // by layer

template <typename Layers>
Precisions PrecisionsOf(const Layers& layers) {
  Precisions precisions;
  for (const compress::LayerReport& layer : layers) {
    EXPECT_FALSE(precisions.contains(layer.name)) << layer.name;
    precisions[layer.name] = layer.precision;
  }
  return precisions;
}

compress::QuantizeOptions AllIntegers() {
  compress::QuantizeOptions options;
  options.keep_slow_layers = true;
  options.overflow_safe = compress::OverflowSafe::kNever;
  options.split = {.calibration = 20, .verification = 20};
  return options;
}

TEST_P(IntegerLayers, AreThoseThatRunSo) {
  auto graph = graph::Parse(GetParam().text);
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(passes::RunPasses(*graph, passes::SimplifyPasses()));
  const auto dataset = SamplesOf(*graph);
  const model::Context context = model::Context::Make(1);
  SilentProgress progress;
  compress::QuantizeOptions options = AllIntegers();
  options.keep_float = GetParam().keep_float;
  const auto quantized = compress::Quantize(*graph, dataset, {}, context, options, progress);
  ASSERT_TRUE(quantized) << quantized.error().message();
  EXPECT_EQ(PrecisionsOf(quantized->layers), GetParam().expected);

  const auto compared =
      compress::Compare({*graph, 1}, {quantized->graph, 1}, dataset, quantized->split.verification,
                        {}, context, {.targets = {}, .timing = {.seconds = 0}}, progress);
  ASSERT_TRUE(compared) << compared.error().message();
  EXPECT_EQ(PrecisionsOf(compared->layers), GetParam().expected);
  for (const compress::LayerReport& layer : compared->layers) {
    if (!std::ranges::count(GetParam().timed, layer.name)) continue;
    EXPECT_TRUE(layer.a_ms) << layer.name;
    EXPECT_TRUE(layer.b_ms) << layer.name;
    EXPECT_GT(layer.snr_db.value_or(0), 15) << layer.name;
  }
}

// As other tools write it; the Add, of a single s8 number, is absorbed by what comes behind.
TEST(Integers, AnAbsorbedOperatorOfOneNumberHasNoWeights) {
  auto graph = graph::Parse(R"(
opset 17
input x: f32[N,3,6,6]
const s: f32[] = 0.02
const z: u8[] = 128
const c: i8[] = 5
const zc: i8[] = 0
q = QuantizeLinear(x, s, z)
d = DequantizeLinear(q, s, z)
k = DequantizeLinear(c, s, zc)
a = Add(d, k)
y = Sigmoid(a)
output y
)");
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(passes::RunPasses(*graph, passes::SimplifyPasses()));
  const auto session = model::MakeSession(*graph, model::Context::Make(1));
  ASSERT_TRUE(session) << session.error().message();
  for (const auto& layer : compress::ListLayers(*graph, (*session)->graph()))
    EXPECT_NE(layer.precision, "int7") << layer.name;
}

INSTANTIATE_TEST_SUITE_P(Networks, IntegerLayers, ::testing::ValuesIn(kNetworks));

// A convolutional network of layers that are drawn at random, as text.
class RandomNetwork {
 public:
  explicit RandomNetwork(uint32_t seed) : generator_(seed) {}

  std::string Make() {
    AddConv();
    for (int i = 0; i < 12; ++i) AddAny();
    const std::string last = maps_.back().name;
    const int channels = maps_.back().channels;
    lines_ += Text("g = GlobalAveragePool(", last, ")\nf = Flatten(g)\ny = Gemm(f, ",
                   Const(Text(channels, ",5")), ")\n");
    std::string text = "opset 20\ninput x: f32[N,3,8,8]\n" + constants_ + lines_ + "output y\n";
    if (maps_.size() > 4 && Draw(2) == 0) text += Text("output ", maps_[maps_.size() - 3].name);
    return text + '\n';
  }

 private:
  struct Map {
    std::string name;
    int channels, size;
  };

  int Draw(int below) { return static_cast<int>(generator_() % static_cast<uint32_t>(below)); }
  const Map& Some() { return maps_[static_cast<size_t>(Draw(static_cast<int>(maps_.size())))]; }

  std::string Const(const std::string& shape) {
    const std::string name = Text("w", count_++);
    constants_ += Text("const ", name, ": f32[", shape, "] = random(", count_, ", -1, 1)\n");
    return name;
  }

  void Add(const std::string& what, int channels, int size) {
    const std::string name = Text("v", count_++);
    lines_ += Text(name, " = ", what, '\n');
    maps_.push_back({name, channels, size});
  }

  void AddConv() {
    const Map from = maps_.back();
    const int kernel = Draw(2) == 0 ? 1 : 3, stride = from.size > 4 && Draw(3) == 0 ? 2 : 1;
    const bool depthwise = from.channels > 3 && Draw(3) == 0;
    const int channels = depthwise ? from.channels : 4 + 2 * Draw(3);
    const std::string weights =
        Const(Text(channels, ',', depthwise ? 1 : from.channels, ',', kernel, ',', kernel));
    const std::string bias = Draw(2) == 0 ? "" : ", " + Const(Text(channels));
    const int pad = kernel / 2;
    Add(Text("Conv(", from.name, ", ", weights, bias, ") {strides=[", stride, ',', stride,
             "], pads=[", pad, ',', pad, ',', pad, ',', pad, "], group=", depthwise ? channels : 1,
             '}'),
        channels, (from.size - 1) / stride + 1);
  }

  void AddFunction() {
    static constexpr const char* kFunctions[] = {"Relu",     "Sigmoid", "HardSwish", "LeakyRelu",
                                                 "Tanh",     "Gelu",    "Elu",       "Softplus",
                                                 "Identity", "Abs",     "Neg"};
    const Map from = Draw(4) == 0 ? Some() : maps_.back();
    Add(Text(kFunctions[Draw(std::size(kFunctions))], '(', from.name, ')'), from.channels,
        from.size);
  }

  void AddPool() {
    const Map from = maps_.back();
    const int stride = from.size > 4 ? 1 + Draw(2) : 1;
    const bool average = Draw(2) == 0;
    Add(Text(average ? "AveragePool(" : "MaxPool(", from.name,
             ") {kernel_shape=[3,3], pads=[1,1,1,1], strides=[", stride, ',', stride, ']',
             average ? Text(", count_include_pad=", Draw(2)) : "", '}'),
        from.channels, (from.size - 1) / stride + 1);
  }

  void AddPair() {
    const Map a = maps_.back(), b = Some();
    if (a.size != b.size) return AddPool();
    if (Draw(3) == 0 && a.channels + b.channels < 24)
      return Add(Text("Concat(", a.name, ", ", b.name, ") {axis=1}"), a.channels + b.channels,
                 a.size);
    if (a.channels != b.channels) return AddConv();
    Add(Text(Draw(3) == 0 ? "Mul(" : "Add(", a.name, ", ", b.name, ')'), a.channels, a.size);
  }

  void AddByChannel() {
    const Map from = maps_.back();
    static constexpr const char* kOperators[] = {"Add", "Mul", "Sub", "Div"};
    const bool scalar = Draw(2) == 0;
    Add(Text(kOperators[Draw(4)], '(', from.name, ", ",
             Const(scalar ? "1" : Text(from.channels, ",1,1")), ')'),
        from.channels, from.size);
  }

  void AddAny() {
    switch (Draw(8)) {
      case 0:
        return AddPool();
      case 1:
      case 2:
        return AddFunction();
      case 3:
      case 4:
        return AddPair();
      case 5:
        return AddByChannel();
      default:
        return AddConv();
    }
  }

  std::mt19937 generator_;
  int count_ = 0;
  std::string constants_, lines_;
  std::vector<Map> maps_ = {{"x", 3, 8}};
};

class RandomNetworks : public ::testing::TestWithParam<uint32_t> {};

TEST_P(RandomNetworks, RunAsTheirReportsSay) {
  const std::string text = RandomNetwork(GetParam()).Make();
  SCOPED_TRACE(text);
  auto graph = graph::Parse(text);
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(passes::RunPasses(*graph, passes::SimplifyPasses()));
  const auto dataset = SamplesOf(*graph);
  const model::Context context = model::Context::Make(1);
  SilentProgress progress;
  const auto quantized = compress::Quantize(*graph, dataset, {}, context, AllIntegers(), progress);
  ASSERT_TRUE(quantized) << quantized.error().message();
  const auto compared =
      compress::Compare({*graph, 1}, {quantized->graph, 1}, dataset, quantized->split.verification,
                        {}, context, {.targets = {}, .timing = {.seconds = 0}}, progress);
  ASSERT_TRUE(compared) << compared.error().message();
  EXPECT_EQ(PrecisionsOf(quantized->layers), PrecisionsOf(compared->layers));
  EXPECT_GT(compared->quality.cosine, 0.9);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomNetworks, ::testing::Range(0u, 40u));

}  // namespace
}  // namespace pare
