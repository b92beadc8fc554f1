#include <gtest/gtest.h>

#include <thread>

#include "runtime/memory_plan.h"
#include "runtime/session.h"

namespace pare::runtime {
namespace {

using graph::Dim;
using graph::Shape;

TEST(MemoryPlan, LivesThatOverlapDontShareBytes) {
  const Lifetime lives[] = {{100, 0, 1}, {200, 1, 2}, {100, 2, 3}, {64, 0, 3}, {0, 1, 1}};
  const MemoryPlan plan = PlanMemory(lives);
  for (size_t a = 0; a < std::size(lives); ++a) {
    for (size_t b = 0; b < a; ++b) {
      if (lives[a].last < lives[b].first || lives[b].last < lives[a].first) continue;
      EXPECT_TRUE(plan.offsets[a] + lives[a].bytes <= plan.offsets[b] ||
                  plan.offsets[b] + lives[b].bytes <= plan.offsets[a])
          << a << ' ' << b;
    }
  }
  EXPECT_EQ(plan.offsets[0], plan.offsets[2]);  // the first is dead when the third is born
  EXPECT_LE(plan.bytes, size_t{256 + 128 + 64});
}

// x → Flatten → Flatten, and x itself: outputs that are views and copies.
graph::Graph Views() {
  graph::Graph g;
  const Dim n = Dim::Symbol(g.AddSymbol("N"));
  const auto x = g.AddInput("x", {DType::kF32, Shape{n, 2, 3}});
  const auto y = g.node(g.AddNode("Flatten", {x}, {"y"})).outputs[0];
  const auto s = g.node(g.AddNode("Shape", {y}, {"s"})).outputs[0];
  g.AddOutput(y, "y");
  g.AddOutput(y, "y again");
  g.AddOutput(s, "s");
  EXPECT_TRUE(ops::InferTypes(g));
  return g;
}

Result<graph::Graph> BindFirst(const graph::Graph& source, std::span<const Dims> shapes) {
  graph::Graph g = source;
  for (size_t i = 0; i < shapes.size(); ++i) {
    g.SetType(g.inputs()[i], {g.value(g.inputs()[i]).type.dtype, graph::ToShape(shapes[i])});
  }
  PARE_TRY(ops::InferTypes(g));
  return g;
}

// x² + 31 · x + x², where the last operand is a view of the first.
TEST(Session, AnOperandBehindThe32ndIsNotOverwritten) {
  graph::Graph g;
  const auto x = g.AddInput("x", {DType::kF32, Shape{Dim(1), Dim(2), Dim(3)}});
  const auto square = g.node(g.AddNode("Mul", {x, x}, {"square"})).outputs[0];
  const auto view =
      g.node(g.AddNode("Flatten", {square}, {"view"}, {{"axis", int64_t{2}}})).outputs[0];
  std::vector<graph::ValueId> terms = {square};
  for (int i = 0; i < 31; ++i) terms.push_back(x);
  terms.push_back(view);
  const auto sum = g.node(g.AddNode("Sum", terms, {"sum"})).outputs[0];
  const auto y = g.node(g.AddNode("Neg", {sum}, {"y"})).outputs[0];
  g.AddOutput(y, "y");
  ASSERT_TRUE(ops::InferTypes(g));
  Session session(std::move(g), DetectCpu(), std::make_shared<ThreadPool>(1), BindFirst);
  const Tensor in = Tensor::Of<float>({1, 2, 3}, {1, 2, 3, 4, 5, 6});
  std::vector<Tensor> out(1);
  const Status status = session.Run({&in, 1}, out);
  ASSERT_TRUE(status) << status.error().message();
  for (int i = 1; i <= 6; ++i) {
    EXPECT_EQ(out[0].as<float>()[i - 1], -static_cast<float>(2 * i * i + 31 * i));
  }
}

TEST(Session, PlansBySignatureAndCopiesViews) {
  Session session(Views(), DetectCpu(), std::make_shared<ThreadPool>(2), BindFirst,
                  {.max_plans = 2});
  for (int64_t n : {1, 3, 5, 1}) {
    Tensor x = *Tensor::Make(DType::kF32, {n, 2, 3});
    for (int64_t i = 0; i < x.count(); ++i) x.mutable_as<float>()[i] = static_cast<float>(i);
    std::vector<Tensor> out(3);
    const Status status = session.Run({&x, 1}, out);
    ASSERT_TRUE(status) << status.error().message();
    EXPECT_EQ(out[0].shape(), (Dims{n, 6}));
    EXPECT_EQ(out[1].as<float>()[n * 6 - 1], static_cast<float>(n * 6 - 1));
    EXPECT_EQ(out[2].as<int64_t>()[0], n);
  }
}

TEST(Session, KeepsThePlansThatWereUsedLast) {
  int compiled = 0;
  const auto count = [&](const graph::Graph& source, std::span<const Dims> shapes) {
    ++compiled;
    return BindFirst(source, shapes);
  };
  Session session(Views(), DetectCpu(), std::make_shared<ThreadPool>(1), count, {.max_plans = 2});
  std::vector<Tensor> out(3);
  // 3 is the one that 5 displaces, as 1 was used since; an unbounded cache would still have it.
  const std::pair<int64_t, int> runs[] = {{1, 1}, {3, 2}, {1, 2}, {5, 3}, {1, 3}, {3, 4}};
  for (const auto& [n, plans] : runs) {
    const Tensor x = *Tensor::Zeros(DType::kF32, {n, 2, 3});
    ASSERT_TRUE(session.Run({&x, 1}, out));
    EXPECT_EQ(compiled, plans) << n;
  }
}

TEST(Session, AWrongInputIsAnErrorThatNamesIt) {
  Session session(Views(), DetectCpu(), std::make_shared<ThreadPool>(1), BindFirst);
  const Tensor x = *Tensor::Zeros(DType::kF32, {1, 2, 4});
  std::vector<Tensor> out(3);
  const Status status = session.Run({&x, 1}, out);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "the input \"x\" is f32[N,2,3], and f32[1,2,4] was given");
}

TEST(Session, ManyThreadsRunAtOnce) {
  Session session(Views(), DetectCpu(), std::make_shared<ThreadPool>(2), BindFirst);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const Tensor x = Tensor::Of<float>({1, 2, 3}, {1.f * t, 1, 2, 3, 4, 5});
      std::vector<Tensor> out(3);
      for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(session.Run({&x, 1}, out));
        ASSERT_EQ(out[0].as<float>()[0], 1.f * t);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Session, PinnedValuesAreSeen) {
  graph::Graph g = Views();
  g.SetPinned(g.FindValue("y"), true);
  g.SetPinned(g.FindValue("x"), true);
  Session session(std::move(g), DetectCpu(), std::make_shared<ThreadPool>(1), BindFirst);
  const Tensor x = Tensor::Of<float>({1, 2, 3}, {7, 1, 2, 3, 4, 5});
  std::vector<Tensor> out(3);
  std::vector<std::string> seen;
  const auto record = [&](const PinnedValue& value, const void* data) {
    seen.push_back(value.name);
    EXPECT_EQ(*static_cast<const float*>(data), 7);
  };
  const Observer observer(record);
  ASSERT_TRUE(session.Run({&x, 1}, out, {.observer = &observer}));
  EXPECT_EQ(seen, (std::vector<std::string>{"x", "y"}));
}

TEST(Profile, TraceIsJsonWhateverBytesNamesHold) {
  Plan plan;
  plan.nodes.resize(1);
  plan.nodes[0].name = "größe \xff \"x\"";
  plan.nodes[0].op = "Relu";
  Profile profile;
  const int64_t ns[] = {1500};
  profile.Add(plan, ns);
  EXPECT_NE(profile.ChromeTrace().find(R"("name":"größe \\xff \"x\"","cat":"Relu","ts":0,)"),
            std::string::npos)
      << profile.ChromeTrace();
}

}  // namespace
}  // namespace pare::runtime
