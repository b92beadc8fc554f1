// Reshape, Flatten, Squeeze, Unsqueeze: which axes of two shapes hold the same elements.
//
// Axes of size 1 hold nothing to tell apart and are left out. From the back, then from the front,
// the shortest runs of axes with equal products are matched: one axis with one, one with a product
// of several, or several with several (of which nothing is known).
#include <algorithm>

#include "ops/channels.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

// The axes of an operand that are not 1, in order, and those not matched yet: [begin, end).
struct Axes {
  int operand;
  const Shape& shape;
  std::vector<int> axes;
  size_t begin = 0, end = 0;

  Axes(int which, const Shape& dims) : operand(which), shape(dims) {
    for (size_t i = 0; i < dims.size(); ++i) {
      if (dims[i] != Dim(1)) axes.push_back(static_cast<int>(i));
    }
    end = axes.size();
  }
  size_t count() const { return end - begin; }
  Dim dim(size_t i) const { return shape[axes[i]]; }
  Place place(size_t i) const { return {operand, axes[i]}; }
};

// How many axes of each, taken from one side, have the same product.
struct Match {
  size_t a = 0, b = 0;
};
std::optional<Match> ShortestMatch(const Axes& a, const Axes& b, bool from_back) {
  if (a.count() == 0 || b.count() == 0) return std::nullopt;
  const auto at = [from_back](const Axes& axes, size_t i) {
    return axes.dim(from_back ? axes.end - 1 - i : axes.begin + i);
  };
  if (at(a, 0).Same(at(b, 0))) return Match{1, 1};
  if (!at(a, 0).known() || !at(b, 0).known()) return std::nullopt;
  Match match{1, 1};
  int64_t product_a = at(a, 0).size(), product_b = at(b, 0).size();
  while (product_a != product_b) {
    const bool grow_a = product_a < product_b;
    const Axes& axes = grow_a ? a : b;
    size_t& taken = grow_a ? match.a : match.b;
    if (taken == axes.count() || !at(axes, taken).known()) return std::nullopt;
    int64_t& product = grow_a ? product_a : product_b;
    if (__builtin_mul_overflow(product, at(axes, taken).size(), &product)) return std::nullopt;
    ++taken;
  }
  return match;
}

// One axis against the factors [begin, end) of `parts`.
void TieProduct(ChannelContext& c, Place whole, const Axes& parts, size_t begin, size_t end) {
  size_t carrier = begin;
  while (carrier < end && c.fixed(parts.place(carrier))) ++carrier;
  if (carrier == end) carrier = begin;
  int64_t inner = 1;
  for (size_t i = carrier + 1; i < end; ++i) inner *= parts.dim(i).size();
  c.TieFactor(whole, parts.place(carrier), inner);
  for (size_t i = begin; i < end; ++i) {
    if (i != carrier)
      c.Fix(parts.place(i), "it is one factor of an axis whose channels are another");
  }
}

void TieMatch(ChannelContext& c, const Axes& a, size_t a_begin, size_t a_end, const Axes& b,
              size_t b_begin, size_t b_end) {
  if (a_end - a_begin == 1 && b_end - b_begin == 1) {
    c.Tie(a.place(a_begin), b.place(b_begin));
  } else if (a_end - a_begin == 1) {
    TieProduct(c, a.place(a_begin), b, b_begin, b_end);
  } else if (b_end - b_begin == 1) {
    TieProduct(c, b.place(b_begin), a, a_begin, a_end);
  }
}

}  // namespace

void TieView(ChannelContext& context) {
  if (context.rank(0) < 0 || context.rank(-1) < 0) return;
  Axes a(0, *context.input(0).shape), b(-1, *context.output(0).shape);
  while (const auto match = ShortestMatch(a, b, true)) {
    TieMatch(context, a, a.end - match->a, a.end, b, b.end - match->b, b.end);
    a.end -= match->a;
    b.end -= match->b;
  }
  while (const auto match = ShortestMatch(a, b, false)) {
    TieMatch(context, a, a.begin, a.begin + match->a, b, b.begin, b.begin + match->b);
    a.begin += match->a;
    b.begin += match->b;
  }
}

}  // namespace pare::ops
