// `pare train` on files that spell their normalizations out.
#include <algorithm>

#include "base/random.h"
#include "data/npy.h"
#include "platform/test_folder.h"
#include "running.h"
#include "running_pare.h"
#include "train/program.h"

namespace pare {
namespace {

// As PyTorch exports a convolution with a LayerNormalization before opset 17.
constexpr std::string_view kSpelledOut = R"(
opset 13
input x: f32[N,2,4,4]
const w: f32[6,2,2,2] = random(1, -0.5, 0.5)
const shape: i64[3] = [0,6,4]
const two: f32[] = 2
const epsilon: f32[] = 1e-05
const gamma: f32[6] = random(2, 0.5, 1.5)
const beta: f32[6] = random(3, -0.5, 0.5)
const axes: i64[1] = [1]
const last: i64[1] = [-1]
const w2: f32[6,3] = random(4, -1, 1)
c = Conv(x, w) {strides=[2,2]}
r = Reshape(c, shape)
t = Transpose(r) {perm=[0,2,1]}
mean = ReduceMean(t, last)
d = Sub(t, mean)
sq = Pow(d, two)
var = ReduceMean(sq, last)
ve = Add(var, epsilon)
dev = Sqrt(ve)
n = Div(d, dev)
s = Mul(n, gamma)
y = Add(s, beta)
p = ReduceSum(y, axes) {keepdims=0}
logits = MatMul(p, w2)
output logits
)";

std::vector<std::string> OpsOf(const graph::Graph& graph) {
  std::vector<std::string> ops;
  for (const graph::NodeId id : graph.Order()) ops.push_back(graph.node(id).op);
  return ops;
}

TEST(TrainCommand, ComputesWithANormalizationThatIsSpelledOutInOnePiece) {
  const TestFolder folder;
  const auto model =
      model::Model::Load(WriteModel(folder / "net.onnx", kSpelledOut), train::kTrainable);
  ASSERT_TRUE(model) << model.error().message();
  train::LabelObjective objective;
  train::ProgramOptions options;
  options.batch = 8;
  const auto program =
      train::Program::Make(model->graph(), objective, model::Context::Make(1), options);
  ASSERT_TRUE(program) << program.error().message();
  const auto ops = OpsOf(program->graph());
  EXPECT_EQ(std::ranges::count(ops, "LayerNormalization"), 1);
  EXPECT_EQ(std::ranges::count(ops, "pare.LayerNormGrad"), 1);
  EXPECT_EQ(std::ranges::count(ops, "Pow"), 0);
}

TEST(TrainCommand, KeepsTheNodesOfANormalizationThatIsSpelledOut) {
  const TestFolder folder;
  const std::string file = WriteModel(folder / "net.onnx", kSpelledOut);
  Tensor pictures = Tensor::Make(DType::kF32, {24, 2, 4, 4}).value();
  Random random(5);
  for (float& x : pictures.mutable_as<float>()) x = random.Normal();
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 24; ++i) labels.push_back(i % 3);
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", pictures));
  ASSERT_TRUE(data::SaveNpy(folder / "y.npy", Tensor::Of<int64_t>({24}, labels)));
  const Ran ran =
      Pare({"train", file, "--data", folder / "x.npy", "--labels", folder / "y.npy", "-o",
            folder / "trained.onnx", "--steps", "3", "--batch", "8", "--validation", "0"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto before = model::Model::Load(file).value();
  const auto after = model::Model::Load(folder / "trained.onnx").value();
  EXPECT_EQ(after.graph().opsets.at(""), 13);
  EXPECT_EQ(OpsOf(after.graph()), OpsOf(before.graph()));
  EXPECT_EQ(std::ranges::count(OpsOf(after.graph()), "LayerNormalization"), 0);
  for (const char* name : {"w", "gamma", "beta", "w2"}) {
    const auto value = [&](const model::Model& model) {
      return model.graph().value(model.graph().FindValue(name)).data;
    };
    EXPECT_FALSE(graph::SameTensor(value(before), value(after))) << name;
  }
}

}  // namespace
}  // namespace pare
