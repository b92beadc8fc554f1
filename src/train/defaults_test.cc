#include "train/defaults.h"

#include <gtest/gtest.h>

#include <limits>

#include "graph/text.h"
#include "ops/op_def.h"

namespace pare::train {
namespace {

graph::Graph Parsed(std::string_view text) {
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(ops::InferTypes(*graph));
  return *graph;
}

constexpr std::string_view kPlain = R"(
opset 17
input x: f32[N,8]
const w: f32[8,4] = random(1, -1, 1)
y = MatMul(x, w)
output y
)";
constexpr std::string_view kConvolution = R"(
opset 17
input x: f32[N,3,8,8]
const w: f32[4,3,3,3] = random(1, -1, 1)
y = Conv(x, w)
output y
)";
constexpr std::string_view kNormalized = R"(
opset 17
input x: f32[N,3,8,8]
const w: f32[4,3,3,3] = random(1, -1, 1)
const one: f32[4] = fill(1)
const zero: f32[4] = fill(0)
c = Conv(x, w)
y = BatchNormalization(c, one, zero, zero, one)
output y
)";
constexpr std::string_view kAttends = R"(
opset 17
input x: f32[N,6,8]
const w: f32[8,8] = random(1, -1, 1)
k = MatMul(x, w)
t = Transpose(x) {perm=[0,2,1]}
s = MatMul(k, t)
p = Softmax(s)
y = MatMul(p, x)
output y
)";
// As exporters write it below opset 17, behind a convolution.
constexpr std::string_view kOldLayerNorm = R"(
opset 13
input x: f32[N,3,8,8]
const w: f32[4,3,3,3] = random(1, -1, 1)
const last: i64[1] = [-1]
const scale: f32[6] = fill(1)
const bias: f32[6] = fill(0)
const two: f32[] = fill(2)
const epsilon: f32[] = fill(0.00001)
c = Conv(x, w)
m = ReduceMean(c, last)
d = Sub(c, m)
q = Pow(d, two)
v = ReduceMean(q, last)
e = Add(v, epsilon)
r = Sqrt(e)
n = Div(d, r)
a = Mul(n, scale)
y = Add(a, bias)
output y
)";

struct Expected {
  std::string_view text;
  OptimizerKind optimizer;
  double rate, clip_norm;
};

TEST(Defaults, GoByTheNetwork) {
  const Expected cases[] = {{kPlain, OptimizerKind::kAdamW, 0.001, 0},
                            {kConvolution, OptimizerKind::kAdamW, 0.001, 1},
                            {kNormalized, OptimizerKind::kSgd, 0.05, 0},
                            {kAttends, OptimizerKind::kAdamW, 0.001, 0},
                            {kOldLayerNorm, OptimizerKind::kAdamW, 0.001, 0}};
  for (const Expected& expected : cases) {
    SCOPED_TRACE(expected.text);
    const graph::Graph model = Parsed(expected.text);
    const Defaults chosen = DefaultsFor(model, {});
    EXPECT_EQ(chosen.optimizer, expected.optimizer);
    EXPECT_DOUBLE_EQ(chosen.rate, expected.rate);
    EXPECT_TRUE(chosen.tries_rates);
    EXPECT_EQ(chosen.clip_norm, expected.clip_norm);
    const bool usual = expected.optimizer == OptimizerKind::kSgd && expected.clip_norm == 0;
    EXPECT_EQ(chosen.note.empty(), usual) << chosen.note;
  }
}

TEST(Defaults, LeaveWhatIsGiven) {
  const Wishes wishes{.optimizer = OptimizerKind::kSgd, .rate = 0.3, .clip_norm = 0.0};
  for (const std::string_view text : {kConvolution, kAttends}) {
    const Defaults chosen = DefaultsFor(Parsed(text), wishes);
    EXPECT_EQ(chosen.optimizer, OptimizerKind::kSgd);
    EXPECT_EQ(chosen.rate, 0.3);
    EXPECT_FALSE(chosen.tries_rates);
    EXPECT_EQ(chosen.clip_norm, 0);
    EXPECT_EQ(chosen.note, "");
  }
}

TEST(UnitsOf, EndsWhereNumbersDo) {
  EXPECT_EQ(UnitsOf(3, kMegabyte), 3'000'000);
  EXPECT_GT(UnitsOf(std::numeric_limits<int64_t>::max() / 2, kMebibyte), int64_t{1} << 60);
}

}  // namespace
}  // namespace pare::train
