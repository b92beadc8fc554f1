// Gradients of operators at drawn shapes and attributes, against central differences: what the
// graphs of tests/gradients don't come upon (odd extents, broadcasts, strides that leave a rest). A
// graph follows from its family and seed, which a failure names beside it.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "drawn.h"
#include "gradients.h"

namespace pare {
namespace {

using gradients::Draw;
using gradients::Joined;
using gradients::List;
using gradients::Parameter;
using gradients::Part;
using gradients::Sizes;
using gradients::Whole;

// A place for windows: extents that hold at least one.
struct Windows {
  Sizes extents, kernel, strides, dilations, pads;

  Windows(Draw& draw, int64_t rank)
      : kernel(draw.Several(rank, 1, 3)),
        strides(draw.Several(rank, 1, 3)),
        dilations(draw.Several(rank, 1, 2)) {
    Sizes before, after;
    for (size_t i = 0; i < kernel.size(); ++i) {
      before.push_back(draw.From(0, kernel[i] - 1));
      after.push_back(draw.From(0, kernel[i] - 1));
      extents.push_back((kernel[i] - 1) * dilations[i] + 1 + draw.From(0, 4));
    }
    pads = Joined(before, after);
  }
  std::string attributes() const {
    return Text("strides=", List(strides), ", pads=", List(pads), ", dilations=", List(dilations));
  }
};

// [batch, channels, …], or [batch, …, channels].
Sizes Batch(bool last, int64_t batch, int64_t channels, const Sizes& extents) {
  return last ? Joined(Joined({batch}, extents), {channels}) : Joined({batch, channels}, extents);
}

std::string Conv(Draw& draw) {
  const int64_t rank = draw.One<int64_t>({1, 2, 2, 2, 3});
  const bool last = rank == 2 && draw.Coin(), bias = draw.Coin();
  const bool depthwise = draw.From(0, 3) == 0;
  const Windows windows(draw, rank);
  const int64_t batch = draw.From(1, 2);
  const int64_t groups = depthwise ? draw.From(2, 19) : draw.From(1, 3);
  const int64_t in = depthwise ? 1 : draw.From(1, 6),
                out = groups * (depthwise ? 1 : draw.From(1, 6));
  return Text(Parameter("x", Batch(last, batch, groups * in, windows.extents)),
              Parameter("w", Batch(last, out, in, windows.kernel)),
              bias ? Parameter("b", {out}) : "", "y = Conv(x, w", bias ? ", b" : "",
              ") {group=", groups, ", ", windows.attributes(), last ? ", channels_last=1" : "",
              "}\noutput y\n");
}

std::string ConvTranspose(Draw& draw) {
  const int64_t rank = draw.One<int64_t>({1, 2, 2, 2});
  const bool last = rank == 2 && draw.Coin(), bias = draw.Coin();
  const Windows windows(draw, rank);
  const int64_t batch = draw.From(1, 2);
  const int64_t groups = draw.From(1, 3), in = groups * draw.From(1, 5), out = draw.From(1, 5);
  Sizes more;
  for (size_t i = 0; i < windows.strides.size(); ++i)
    more.push_back(draw.From(0, std::max(windows.strides[i], windows.dilations[i]) - 1));
  return Text(Parameter("x", Batch(last, batch, in, windows.extents)),
              Parameter("w", Batch(last, in, out, windows.kernel)),
              bias ? Parameter("b", {groups * out}) : "", "y = ConvTranspose(x, w",
              bias ? ", b" : "", ") {group=", groups, ", ", windows.attributes(),
              ", output_padding=", List(more), last ? ", channels_last=1" : "", "}\noutput y\n");
}

std::string Pool(Draw& draw) {
  const bool maximum = draw.Coin();
  const int64_t rank = draw.One<int64_t>({1, 2, 2, 3});
  const bool last = rank == 2 && draw.Coin();
  const Windows windows(draw, rank);
  const int64_t batch = draw.From(1, 2), channels = draw.From(1, 5);
  const Sizes shape = Batch(last, batch, channels, windows.extents);
  const bool ceil = draw.Coin(), counts_pads = draw.Coin();
  // Far apart, so that no step changes which is the largest.
  return Text(Parameter("x", shape, maximum ? "-16, 16" : "-1, 1"),
              "y = ", maximum ? "MaxPool" : "AveragePool",
              "(x) {kernel_shape=", List(windows.kernel), ", ", windows.attributes(),
              ", ceil_mode=", int{ceil},
              maximum ? "" : Text(", count_include_pad=", int{counts_pads}),
              last ? ", channels_last=1" : "", "}\noutput y\n");
}

std::string Gemm(Draw& draw) {
  const int64_t m = draw.From(1, 20), n = draw.From(1, 20), k = draw.From(1, 20);
  const bool a_turned = draw.Coin(), b_turned = draw.Coin();
  const Sizes added = draw.One<Sizes>({{}, {1}, {n}, {1, n}, {m, 1}, {m, n}});
  const bool adds = draw.Coin(), scales = draw.Coin();
  return Text(Parameter("a", a_turned ? Sizes{k, m} : Sizes{m, k}),
              Parameter("b", b_turned ? Sizes{n, k} : Sizes{k, n}),
              adds ? Parameter("c", added) : "", "y = Gemm(a, b", adds ? ", c" : "",
              ") {transA=", int{a_turned}, ", transB=", int{b_turned},
              scales ? ", alpha=0.5, beta=2.0" : "", "}\noutput y\n");
}

std::string MatMul(Draw& draw) {
  const int64_t m = draw.From(1, 18), n = draw.From(1, 18), k = draw.From(1, 18);
  const Sizes batch = draw.Several(draw.From(0, 2), 1, 3);
  const Sizes batch_a = Part(draw, batch), batch_b = Part(draw, batch);
  const bool vector_a = draw.From(0, 4) == 0, vector_b = draw.From(0, 4) == 0;
  return Text(Parameter("a", vector_a ? Sizes{k} : Joined(batch_a, {m, k})),
              Parameter("b", vector_b ? Sizes{k} : Joined(batch_b, {k, n})),
              "y = MatMul(a, b)\noutput y\n");
}

std::string Binary(Draw& draw) {
  const Sizes whole = draw.Several(draw.From(1, 4), 1, 5);
  const auto op = draw.One<std::string_view>({"Add", "Sub", "Mul", "Div", "Pow"});
  const bool whole_first = draw.Coin();
  const Sizes one = Part(draw, whole), other = Part(draw, whole);

  return Text(Parameter("a", whole_first ? whole : one, "0.5, 2"), Parameter("b", other, "0.5, 2"),
              "y = ", op, "(a, b)\noutput y\n");
}

std::string Where(Draw& draw) {
  const Sizes whole = draw.Several(draw.From(1, 3), 1, 5);
  const Sizes chosen = Part(draw, whole), a = Part(draw, whole), b = Part(draw, whole);
  const int64_t count =
      std::accumulate(chosen.begin(), chosen.end(), int64_t{1}, std::multiplies());
  const Sizes choices = draw.Several(count, 0, 1);
  return Text("const c: bool", List(chosen), " = ", List(choices), '\n', Parameter("a", a),
              Parameter("b", b), "y = Where(c, a, b)\noutput y\n");
}

std::string Reduce(Draw& draw) {
  const auto op = draw.One<std::string_view>({"ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2",
                                              "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare",
                                              "ReduceProd", "ReduceMax", "ReduceMin"});
  const bool chooses = op == "ReduceMax" || op == "ReduceMin";
  const Sizes shape = draw.Several(draw.From(1, 4), 1, 5);
  Sizes axes;
  for (int64_t axis = 0; axis < std::ssize(shape); ++axis) {
    const bool from_behind = draw.Coin(), reduced = draw.Coin();
    if (reduced) axes.push_back(from_behind ? axis - std::ssize(shape) : axis);
  }
  if (axes.empty()) axes = {draw.From(0, std::ssize(shape) - 1)};
  const bool keeps = draw.Coin();
  return Text(Parameter("x", shape, chooses ? "-16, 16" : "0.5, 2"), Whole("axes", axes),
              "y = ", op, "(x, axes) {keepdims=", int{keeps}, "}\noutput y\n");
}

std::string Softmax(Draw& draw) {
  const Sizes shape = draw.Several(draw.From(1, 4), 1, 6);
  const auto op = draw.One<std::string_view>({"Softmax", "LogSoftmax"});
  const int64_t axis = draw.From(-std::ssize(shape), std::ssize(shape) - 1);
  return Text(Parameter("x", shape, "-2, 2"), "y = ", op, "(x) {axis=", axis, "}\noutput y\n");
}

// Of the last axes from one on.
std::string LayerNorm(Draw& draw) {
  const bool centers = draw.Coin(), bias = centers && draw.Coin();
  Sizes shape = draw.Several(draw.From(1, 4), 1, 5);
  shape.back() = draw.From(4, 19);
  const int64_t axis = draw.From(0, std::ssize(shape) - 1);
  const bool from_behind = draw.Coin();
  const Sizes scale(shape.begin() + axis, shape.end());
  return Text(
      Parameter("x", shape, "-2, 2"), Parameter("scale", scale, "0.5, 2"),
      bias ? Parameter("b", scale) : "",
      "y = ", centers ? "LayerNormalization" : "RMSNormalization", "(x, scale", bias ? ", b" : "",
      ") {epsilon=0.05, axis=", from_behind ? axis - std::ssize(shape) : axis, "}\noutput y\n");
}

// By channels: of each sample, of each sample's groups, or of the batch.
std::string ChannelNorm(Draw& draw) {
  const auto op =
      draw.One<std::string_view>({"InstanceNormalization", "GroupNormalization", "pare.BatchNorm"});
  const int64_t groups = draw.From(1, 4);
  const int64_t channels = groups * draw.From(1, 5);
  const bool last = draw.Coin();
  const int64_t samples = draw.From(1, 3);
  const Sizes shape = Batch(last, samples, channels, draw.Several(2, 3, 5));
  const bool batch = op == "pare.BatchNorm";
  return Text(Parameter("x", shape, "-2, 2"), Parameter("scale", {channels}, "0.5, 2"),
              Parameter("b", {channels}),
              batch
                  ? Text("state mean: f32[", channels, "] = random(8, -1, 1)\nstate variance: f32[",
                         channels, "] = random(9, 0.5, 2)\n")
                  : "",
              "y = ", op, "(x, scale, b", batch ? ", mean, variance" : "", ") {epsilon=0.05",
              op == "GroupNormalization" ? Text(", num_groups=", groups) : "",
              last ? ", channels_last=1" : "", "}\noutput y\n");
}

std::string Slice(Draw& draw) {
  const Sizes shape = draw.Several(draw.From(1, 4), 1, 7);
  Sizes axes(shape.size());
  std::iota(axes.begin(), axes.end(), int64_t{0});
  Sizes starts, ends, steps;
  for (const int64_t size : shape) {
    const bool back = draw.Coin();
    starts.push_back(draw.From(-size, size - 1));
    ends.push_back(back ? draw.From(-size - 2, size - 1) : draw.From(-size, size + 2));
    steps.push_back(back ? -draw.From(1, 3) : draw.From(1, 3));
  }
  return Text(Parameter("x", shape), Whole("starts", starts), Whole("ends", ends),
              Whole("axes", axes), Whole("steps", steps),
              "y = Slice(x, starts, ends, axes, steps)\noutput y\n");
}

std::string Pad(Draw& draw) {
  const auto mode = draw.One<std::string_view>({"constant", "reflect", "edge"});
  const Sizes shape = draw.Several(draw.From(1, 4), 2, 5);
  Sizes pads;
  for (int side = 0; side < 2; ++side) {
    for (const int64_t size : shape) pads.push_back(draw.From(0, mode == "reflect" ? size - 1 : 3));
  }
  return Text(Parameter("x", shape), Whole("pads", pads), "y = Pad(x, pads) {mode=\"", mode,
              "\"}\noutput y\n");
}

// Several into one, that into parts of other sizes, and these turned.
std::string ConcatSplitTranspose(Draw& draw) {
  const Sizes shape = draw.Several(draw.From(1, 4), 1, 4);
  const int64_t rank = std::ssize(shape), axis = draw.From(0, rank - 1);
  std::string text, names;
  int64_t whole = 0;
  for (int64_t i = 0, count = draw.From(1, 3); i < count; ++i) {
    Sizes own = shape;
    own[axis] = draw.From(1, 4);
    whole += own[axis];
    text += Parameter(Text("x", i), own);
    names += Text(i == 0 ? "" : ", ", "x", i);
  }
  const int64_t first = draw.From(0, whole);
  Sizes turned(shape.size());
  std::iota(turned.begin(), turned.end(), int64_t{0});
  for (size_t i = turned.size(); i > 1; --i)
    std::swap(turned[i - 1],
              turned[static_cast<size_t>(draw.From(0, static_cast<int64_t>(i) - 1))]);
  return Text(text, Whole("sizes", {first, whole - first}), "all = Concat(", names,
              ") {axis=", axis, "}\na, b = Split(all, sizes) {axis=", axis - rank,
              "}\ny = Transpose(a) {perm=", List(turned), "}\nz = Mul(b, b)\noutput y\noutput z\n");
}

std::string Expand(Draw& draw) {
  const Sizes whole = draw.Several(draw.From(1, 4), 1, 4), part = Part(draw, whole);
  return Text(Parameter("x", part), Whole("shape", whole), "y = Expand(x, shape)\noutput y\n");
}

std::string Gather(Draw& draw) {
  const Sizes shape = draw.Several(draw.From(1, 4), 1, 5);
  const int64_t axis = draw.From(0, std::ssize(shape) - 1), count = draw.From(1, 6);
  const Sizes places = draw.Several(count, -shape[axis], shape[axis] - 1);
  return Text(Parameter("x", shape), Whole("places", places), "y = Gather(x, places) {axis=", axis,
              "}\noutput y\n");
}

constexpr gradients::Family kFamilies[] = {
    {"Conv", Conv},
    {"ConvTranspose", ConvTranspose},
    {"Pool", Pool},
    {"Gemm", Gemm},
    {"MatMul", MatMul},
    {"Binary", Binary},
    {"Where", Where},
    {"Reduce", Reduce},
    {"Softmax", Softmax},
    {"LayerNorm", LayerNorm},
    {"ChannelNorm", ChannelNorm},
    {"Slice", Slice},
    {"Pad", Pad},
    {"ConcatSplitTranspose", ConcatSplitTranspose},
    {"Expand", Expand},
    {"Gather", Gather},
};

class RandomGradients : public testing::TestWithParam<gradients::Family> {};

TEST_P(RandomGradients, AreSlopes) { gradients::CheckFamily(GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, RandomGradients, testing::ValuesIn(kFamilies),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace pare
