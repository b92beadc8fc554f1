// As random_gradients_test.cc: operators that choose, gather, resize or go through time, and
// numbers that are 0.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "drawn.h"

namespace pare {
namespace {

using gradients::Draw;
using gradients::Joined;
using gradients::List;
using gradients::Parameter;
using gradients::Part;
using gradients::Sizes;
using gradients::Whole;

std::string Resize(Draw& draw) {
  const auto mode = draw.One<std::string_view>({"nearest", "linear", "cubic"});
  const auto coordinates = draw.One<std::string_view>(
      {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"});
  const int64_t batch = draw.From(1, 2), channels = draw.From(1, 3);
  const Sizes from = draw.Several(2, 2, 6), to = draw.Several(2, 1, 9);
  const bool last = draw.Coin(), antialias = mode != "nearest" && draw.Coin();
  const Sizes shape =
      last ? Joined(Joined({batch}, from), {channels}) : Joined({batch, channels}, from);
  return Text(Parameter("x", shape), Whole("sizes", Joined({batch, channels}, to)),
              "y = Resize(x, _, _, sizes) {mode=\"", mode, "\", coordinate_transformation_mode=\"",
              coordinates, '"', antialias ? ", antialias=1" : "", last ? ", channels_last=1" : "",
              "}\noutput y\n");
}

// Two operands with letters from a few, and a result with some of theirs.
std::string Einsum(Draw& draw) {
  const std::string letters = "abcd";
  const Sizes extents = draw.Several(4, 1, 4);
  const auto some = [&](const std::string& from, int64_t least) {
    std::string chosen = from;
    for (size_t i = chosen.size(); i > 1; --i)
      std::swap(chosen[i - 1], chosen[static_cast<size_t>(draw.From(0, std::ssize(from)) % i)]);
    return chosen.substr(0, static_cast<size_t>(draw.From(least, std::ssize(from))));
  };
  const auto shape = [&](const std::string& labels) {
    Sizes sizes;
    for (const char letter : labels) sizes.push_back(extents[static_cast<size_t>(letter - 'a')]);
    return sizes;
  };
  const std::string a = some(letters, 1), b = some(letters, 1);
  std::string both = a;
  for (const char letter : b) both += a.find(letter) == a.npos ? std::string(1, letter) : "";
  const std::string result = some(both, 0);
  return Text(Parameter("x", shape(a)), Parameter("y", shape(b)), "z = Einsum(x, y) {equation=\"",
              a, ',', b, "->", result, "\"}\noutput z\n");
}

std::string Recurrent(Draw& draw) {
  const auto op = draw.One<std::string_view>({"LSTM", "GRU", "RNN"});
  const auto direction = draw.One<std::string_view>({"forward", "reverse", "bidirectional"});
  const int64_t gates = op == "LSTM" ? 4 : op == "GRU" ? 3 : 1;
  const int64_t directions = direction == "bidirectional" ? 2 : 1;
  const int64_t time = draw.From(1, 4), batch = draw.From(1, 3);
  const int64_t width = draw.From(1, 4), hidden = draw.From(1, 5);
  const bool bias = draw.Coin(), lengths = draw.Coin(), start = draw.Coin(), both = draw.Coin();
  const Sizes times = draw.Several(batch, 1, time);
  const bool linear = op == "GRU" && draw.Coin();
  return Text(
      Parameter("x", {time, batch, width}), Parameter("w", {directions, gates * hidden, width}),
      Parameter("r", {directions, gates * hidden, hidden}, "-0.5, 0.5"),
      bias ? Parameter("b", {directions, 2 * gates * hidden}, "-0.5, 0.5") : "",
      lengths ? Text("const lengths: i32[", batch, "] = ", List(times), '\n') : "",
      start ? Parameter("h", {directions, batch, hidden}) : "", "y, last = ", op, "(x, w, r, ",
      bias ? "b" : "_", ", ", lengths ? "lengths" : "_", ", ", start ? "h" : "_",
      ") {hidden_size=", hidden, ", direction=\"", direction, '"',
      linear ? ", linear_before_reset=1" : "", "}\noutput last\n", both ? "output y\n" : "");
}

std::string Attention(Draw& draw) {
  const int64_t batch = draw.From(1, 2), heads = draw.From(1, 3), queries = draw.From(1, 6);
  const int64_t keys = draw.From(1, 9), depth = draw.From(1, 9), width = draw.From(1, 9);
  const Sizes first = draw.Several(4, 0, 1);
  const auto shape = [&](size_t i, int64_t length, int64_t last) {
    return first[i] != 0 ? Sizes{batch, length, heads, last} : Sizes{batch, heads, length, last};
  };
  const bool masked = draw.Coin();
  const Sizes mask{draw.Coin() ? batch : 1, draw.Coin() ? heads : 1, draw.Coin() ? queries : 1,
                   keys};
  return Text(Parameter("q", shape(0, queries, depth)), Parameter("k", shape(1, keys, depth)),
              Parameter("v", shape(2, keys, width)), masked ? Parameter("mask", mask) : "",
              "y = pare.Attention(q, k, v", masked ? ", mask" : "",
              ") {scale=0.5, positions_first=", List(first), "}\noutput y\n");
}

int64_t CountOfAll(const Sizes& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies());
}

std::string Places(const Sizes& shape, const Sizes& values) {
  return Text("const i: i64", List(shape), " = ", List(values), '\n');
}

// Places along one axis; where they overwrite, none comes twice.
std::string Elements(Draw& draw) {
  const Sizes shape = draw.Several(draw.From(1, 3), 1, 5);
  const int64_t axis = draw.From(0, std::ssize(shape) - 1), size = shape[axis];
  const bool gathers = draw.Coin(), adds = draw.Coin();
  Sizes taken;
  for (const int64_t extent : shape) taken.push_back(draw.From(1, extent));
  taken[axis] = gathers || adds ? draw.From(1, 6) : 1;
  const Sizes places = draw.Several(CountOfAll(taken), -size, size - 1);
  const std::string all = Text(Parameter("x", shape), Places(taken, places));
  if (gathers) return Text(all, "y = GatherElements(x, i) {axis=", axis, "}\noutput y\n");
  return Text(all, Parameter("u", taken), "y = ScatterElements(x, i, u) {axis=", axis,
              adds ? ", reduction=\"add\"" : "", "}\noutput y\n");
}

// Places with a number for each of the first axes.
std::string Slices(Draw& draw) {
  const Sizes shape = draw.Several(draw.From(1, 3), 1, 5);
  const bool gathers = draw.Coin(), adds = draw.Coin();
  const int64_t depth = draw.From(1, std::ssize(shape));
  const int64_t count = gathers || adds ? draw.From(1, 5) : 1;
  Sizes places;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t axis = 0; axis < depth; ++axis)
      places.push_back(draw.From(-shape[axis], shape[axis] - 1));
  }
  const std::string all = Text(Parameter("x", shape), Places({count, depth}, places));
  if (gathers) return Text(all, "y = GatherND(x, i)\noutput y\n");
  const Sizes rest(shape.begin() + depth, shape.end());
  return Text(all, Parameter("u", Joined({count}, rest)), "y = ScatterND(x, i, u)",
              adds ? " {reduction=\"add\"}" : "", "\noutput y\n");
}

std::string Tile(Draw& draw) {
  const Sizes shape = draw.Several(draw.From(1, 4), 1, 4);
  const Sizes repeats = draw.Several(std::ssize(shape), 1, 3);
  return Text(Parameter("x", shape), Whole("repeats", repeats), "y = Tile(x, repeats)\noutput y\n");
}

std::string Lrn(Draw& draw) {
  const bool last = draw.Coin();
  const Sizes extents = draw.Several(last ? 2 : draw.From(1, 2), 1, 4);
  const int64_t batch = draw.From(1, 2), channels = draw.From(1, 7), size = draw.From(1, 5);
  const Sizes shape =
      last ? Joined(Joined({batch}, extents), {channels}) : Joined({batch, channels}, extents);
  return Text(Parameter("x", shape, "-2, 2"), "y = LRN(x) {size=", size,
              ", alpha=0.5, beta=0.7, bias=1.5", last ? ", channels_last=1" : "", "}\noutput y\n");
}

// Far apart, so that no step changes which is chosen.
std::string MaxMin(Draw& draw) {
  const Sizes whole = draw.Several(draw.From(1, 3), 1, 4);
  const auto op = draw.One<std::string_view>({"Max", "Min", "Mean", "Sum"});
  std::string text, names;
  for (int64_t i = 0, count = draw.From(1, 3); i < count; ++i) {
    text += Parameter(Text("x", i), Part(draw, whole), "-16, 16");
    names += Text(i == 0 ? "" : ", ", "x", i);
  }
  return Text(text, "y = ", op, '(', names, ")\noutput y\n");
}

std::string Clip(Draw& draw) {
  const Sizes shape = draw.Several(draw.From(1, 4), 1, 5);
  const bool low = draw.Coin(), high = draw.Coin();
  return Text(Parameter("x", shape, "-16, 16"), low ? Parameter("lo", {}, "-5, -4") : "",
              high ? Parameter("hi", {}, "4, 5") : "", "y = Clip(x, ", low ? "lo" : "_", ", ",
              high ? "hi" : "_", ")\noutput y\n");
}

// With its statistics as they are.
std::string FrozenBatchNorm(Draw& draw) {
  const bool last = draw.Coin();
  const Sizes extents = draw.Several(last ? 2 : draw.From(0, 3), 1, 4);
  const int64_t batch = draw.From(1, 3), channels = draw.From(1, 7);
  const Sizes shape =
      last ? Joined(Joined({batch}, extents), {channels}) : Joined({batch, channels}, extents);
  return Text(Parameter("x", shape, "-2, 2"), Parameter("scale", {channels}, "0.5, 2"),
              Parameter("b", {channels}), "const mean: f32[", channels,
              "] = random(8, -1, 1)\nconst variance: f32[", channels,
              "] = random(9, 0.5, 2)\ny = BatchNormalization(x, scale, b, mean, variance) "
              "{epsilon=0.05",
              last ? ", channels_last=1" : "", "}\noutput y\n");
}

// Of the parts some are left out.
std::string SplitInPart(Draw& draw) {
  const Sizes parts = draw.Several(draw.From(2, 4), 0, 3);
  Sizes shape = draw.Several(draw.From(1, 3), 1, 4);
  const int64_t axis = draw.From(0, std::ssize(shape) - 1);
  const int64_t kept = draw.From(0, std::ssize(parts) - 1);
  shape[axis] = std::accumulate(parts.begin(), parts.end(), int64_t{0});
  std::string names;
  for (int64_t i = 0; i < std::ssize(parts); ++i) {
    const bool stays = draw.Coin() || i == kept;
    names += Text(i == 0 ? "" : ", ", stays ? Text('y', i) : "_");
  }
  return Text(Parameter("x", shape), Whole("sizes", parts), names,
              " = Split(x, sizes) {axis=", axis, "}\ny = Mul(y", kept, ", y", kept,
              ")\noutput y\n");
}

// As PyTorch has it: where a function has no slope at 0 it is that of the middle.
std::string Zeros(Draw& draw) {
  const Sizes shape = draw.Several(draw.From(1, 3), 1, 4);
  std::string values;
  for (int64_t i = 0; i < CountOfAll(shape); ++i)
    values += Text(i == 0 ? "" : ", ", draw.One<std::string_view>({"0", "0", "0.5", "-1", "2"}));
  const auto op = draw.One<std::string_view>(
      {"ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "Pow", "Mul"});
  const std::string x = Text("param x: f32", List(shape), " = [", values, "]\n");
  const int64_t axis = draw.From(0, std::ssize(shape) - 1);
  if (op == "Mul") return Text(x, "y = Mul(x, x)\noutput y\n");
  if (op != "Pow") return Text(x, Whole("axes", {axis}), "y = ", op, "(x, axes)\noutput y\n");
  const Sizes powers = draw.Several(shape.back(), 0, 3);
  return Text(x, "const b: f32[", shape.back(), "] = ", List(powers),
              "\ny = Pow(x, b)\noutput y\n");
}

constexpr gradients::Family kFamilies[] = {
    {"Resize", Resize},
    {"Einsum", Einsum},
    {"Recurrent", Recurrent},
    {"Attention", Attention},
    {"Elements", Elements},
    {"Slices", Slices},
    {"Tile", Tile},
    {"Lrn", Lrn},
    {"MaxMin", MaxMin},
    {"Clip", Clip},
    {"FrozenBatchNorm", FrozenBatchNorm},
    {"SplitInPart", SplitInPart},
    {"Zeros", Zeros},
};

class MoreRandomGradients : public testing::TestWithParam<gradients::Family> {};

TEST_P(MoreRandomGradients, AreSlopes) { gradients::CheckFamily(GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, MoreRandomGradients, testing::ValuesIn(kFamilies),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace pare
