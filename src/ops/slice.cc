// Slice: y[i] = x[start + i · step] along some axes.
#include <limits>

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/move.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

// What is asked for along one axis.
struct Range {
  int64_t start = 0, end = std::numeric_limits<int64_t>::max(), step = 1;
};
struct Extent {
  int64_t start, count;
};

// The range within [0, size), as NumPy cuts it.
Extent Cut(const Range& range, int64_t size) {
  const bool forward = range.step > 0;
  const auto place = [&](int64_t at) {
    if (at < 0) at = at < -size ? -1 : at + size;
    return forward ? std::clamp<int64_t>(at, 0, size) : std::clamp<int64_t>(at, -1, size - 1);
  };
  const int64_t start = place(range.start), end = place(range.end);
  const int64_t span = forward ? end - start : start - end;
  if (span <= 0) return {0, 0};
  // In unsigned arithmetic the smallest step has a magnitude, too.
  const uint64_t step =
      forward ? static_cast<uint64_t>(range.step) : uint64_t{0} - static_cast<uint64_t>(range.step);
  return {start, static_cast<int64_t>((static_cast<uint64_t>(span) - 1) / step + 1)};
}

// The ranges of all axes, from inputs that are constant.
Result<std::vector<Range>> Ranges(int rank, const std::vector<int64_t>& starts,
                                  const std::vector<int64_t>& ends,
                                  const std::optional<std::vector<int64_t>>& axes,
                                  const std::optional<std::vector<int64_t>>& steps) {
  const size_t count = starts.size();
  if (ends.size() != count || (axes && axes->size() != count) ||
      (steps && steps->size() != count) || std::ssize(starts) > rank) {
    return Invalid("starts, ends, axes and steps have different counts");
  }
  std::vector<Range> ranges(rank);
  for (size_t i = 0; i < count; ++i) {
    int axis = static_cast<int>(i);
    if (axes) {
      PARE_ASSIGN(axis, NormalizeAxis((*axes)[i], rank, "axes"));
    }
    ranges[axis] = {starts[i], ends[i], steps ? (*steps)[i] : 1};
    if (ranges[axis].step == 0) return Invalid("a step is 0");
  }
  return ranges;
}

// The size of a range of `dim` elements. Sizes that are not known are taken to be at least 1.
Dim CutDim(Dim dim, const Range& range) {
  if (dim.known()) return Cut(range, dim.size()).count;
  const bool to_the_end = range.end >= 1'000'000'000;  // exporters write 10⁹, 2³¹ − 1, 2⁶³ − 1
  if (range.step == 1 && range.start == 0 && to_the_end) return dim;
  if (range.step == 1 && range.start == 0 && range.end == 1) return 1;
  if (range.step == 1 && range.start == -1 && to_the_end) return 1;
  return Dim::Unknown();
}

// How many axes the slice cuts: what starts, ends, axes and steps have elements for, as far as that
// is known.
Result<std::optional<int64_t>> CutAxes(const InferContext& context, int64_t rank) {
  std::optional<int64_t> count;
  for (int i = 1; i < context.inputs(); ++i) {
    const Shape* shape = context.shape(i);
    if (!shape || shape->size() != 1 || !(*shape)[0].known()) continue;
    const int64_t own = (*shape)[0].size();
    if (count.value_or(own) != own || own > rank) {
      return Invalid("starts, ends, axes and steps have different counts");
    }
    count = own;
  }
  return count;
}

// Slices whose bounds are computed: x[:, :n] has n elements (the end is not beyond x in a model
// that works), everything else is unknown along the axes that are cut.
Status InferComputedSlice(InferContext& context, const Shape& shape) {
  const auto axes = context.ints(3);
  const auto starts = context.ints(1);
  const auto steps = context.ints(4);
  const Shape* ends = context.dims_value(2);
  PARE_ASSIGN(const auto count, CutAxes(context, std::ssize(shape)));
  if (context.has_input(3) && !axes) {
    context.set_output(0, context.dtype(0), Shape(shape.size(), Dim::Unknown()));
    return {};
  }
  Shape out = shape;
  const size_t cuts = axes ? axes->size() : static_cast<size_t>(count.value_or(shape.size()));
  for (size_t i = 0; i < cuts; ++i) {
    PARE_ASSIGN(const int axis, NormalizeAxis(axes ? (*axes)[i] : static_cast<int64_t>(i),
                                              static_cast<int>(shape.size()), "axes"));
    const bool from_begin =
        starts && i < starts->size() && (*starts)[i] == 0 &&
        (!context.has_input(4) || (steps && i < steps->size() && (*steps)[i] == 1));
    const bool end_known = ends && i < ends->size() && (*ends)[i] != Dim::Unknown();
    out[axis] = from_begin && end_known && shape[axis] != Dim(1) ? (*ends)[i] : Dim::Unknown();
  }
  context.set_output(0, context.dtype(0), std::move(out));
  return {};
}

void InferSlicedDims(InferContext& context, const Range& range) {
  const Shape* dims = context.dims_value(0);
  if (!dims) return;
  const Extent extent = Cut(range, std::ssize(*dims));
  Shape sliced;
  for (int64_t i = 0; i < extent.count; ++i) {
    sliced.push_back((*dims)[extent.start + i * range.step]);
  }
  context.set_dims_value(0, std::move(sliced));
}

Status InferSlice(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  const auto starts = context.ints(1), ends = context.ints(2);
  const auto axes = context.ints(3), steps = context.ints(4);
  if (!starts || !ends || (context.has_input(3) && !axes) || (context.has_input(4) && !steps)) {
    return InferComputedSlice(context, *shape);
  }
  PARE_ASSIGN(const auto ranges,
              Ranges(static_cast<int>(shape->size()), *starts, *ends, axes, steps));
  Shape out;
  for (size_t i = 0; i < ranges.size(); ++i) out.push_back(CutDim((*shape)[i], ranges[i]));
  context.set_output(0, context.dtype(0), std::move(out));
  if (ranges.size() == 1) InferSlicedDims(context, ranges[0]);
  return {};
}

// The ranges of a node whose bounds are known.
Result<std::vector<Range>> ReadRanges(const NodeView& view) {
  PARE_ASSIGN(const auto starts, view.Ints(1, "starts"));
  PARE_ASSIGN(const auto ends, view.Ints(2, "ends"));
  std::optional<std::vector<int64_t>> axes, steps;
  if (view.has_input(3)) {
    PARE_ASSIGN(axes, view.Ints(3, "axes"));
  }
  if (view.has_input(4)) {
    PARE_ASSIGN(steps, view.Ints(4, "steps"));
  }
  return Ranges(view.input(0).rank(), starts, ends, axes, steps);
}

Status PrepareSlice(PrepareContext& context) {
  const Dims in = context.shape(0), out = context.output_shape();
  PARE_ASSIGN(const auto ranges, ReadRanges(context));
  const Dims in_steps = DenseSteps(in);
  Dims from(in.size());
  int64_t offset = 0;
  for (size_t i = 0; i < in.size(); ++i) {
    offset += Cut(ranges[i], in[i]).start * in_steps[i];
    from[i] = out[i] <= 1 ? 0 : ranges[i].step * in_steps[i];
  }
  if (in == out && offset == 0) {
    context.Alias(0);
    return {};
  }
  return AddMoveStep(context, static_cast<int64_t>(SizeOf(context.dtype(0))),
                     {{MoveNest(out, from, DenseSteps(out)), 0, 0, offset, 0}});
}

Var Reverse(Var x, int64_t axis) {
  Emitter& emit = x.emitter();
  constexpr int64_t kBegin = std::numeric_limits<int64_t>::min();
  return emit.Add("Slice",
                  {x, emit.Ints({-1}), emit.Ints({kBegin}), emit.Ints({axis}), emit.Ints({-1})});
}

// step − 1 zeros behind each element along the axis.
Var Spread(Var x, int64_t axis, int64_t step) {
  Dims apart = x.dims(), joined = x.dims();
  apart.insert(apart.begin() + axis + 1, 1);
  joined[axis] *= step;
  Dims begins(apart.size()), ends(apart.size());
  ends[axis + 1] = step - 1;
  return Reshape(PadZeros(Reshape(x, apart), begins, ends), joined);
}

// dy goes back to where it was cut from, in the midst of zeros.
Status GradSlice(GradContext& g) {
  PARE_ASSIGN(const auto ranges, ReadRanges(g));
  const Dims in = g.in_shape(0);
  Dims begins(in.size()), ends(in.size());
  Var dx = g.dy();
  for (size_t axis = 0; axis < in.size(); ++axis) {
    const auto [start, count] = Cut(ranges[axis], in[axis]);
    const int64_t step = count > 1 ? ranges[axis].step : 1;
    const auto at = static_cast<int64_t>(axis);
    if (step < 0) dx = Reverse(dx, at);
    if (std::abs(step) > 1) dx = Spread(dx, at, std::abs(step));
    begins[axis] = step < 0 ? start + (count - 1) * step : start;
    ends[axis] = in[axis] - begins[axis] - count * std::abs(step);
  }
  g.gives(0, PadZeros(dx, begins, ends));
  return {};
}

struct KnownRanges {
  std::vector<Range> of_axis;
  std::vector<int64_t> starts, ends;
  std::optional<std::vector<int64_t>> axes;
};

// The ranges of a slice whose bounds are all constant.
std::optional<KnownRanges> RangesOf(const NodeView& view) {
  const auto ints = [&](int i) -> std::optional<std::vector<int64_t>> {
    const Tensor* tensor = view.constant(i);
    auto values = tensor ? ToInt64s(*tensor) : Result<std::vector<int64_t>>(Invalid("none"));
    return values ? std::optional(std::move(*values)) : std::nullopt;
  };
  const auto starts = ints(1), ends = ints(2), axes = ints(3), steps = ints(4);
  if (!starts || !ends || (view.has_input(3) && !axes) || (view.has_input(4) && !steps) ||
      !view.input(0).has_rank()) {
    return std::nullopt;
  }
  auto ranges = Ranges(view.input(0).rank(), *starts, *ends, axes, steps);
  if (!ranges) return std::nullopt;
  return KnownRanges{std::move(*ranges), *starts, *ends, axes};
}

// A run of positions stays a run; every second one would not.
void TieSlice(ChannelContext& c) {
  const auto known = RangesOf(c);
  if (!known) return;
  for (int i = 0; i < c.rank(0); ++i) {
    const Range& range = known->of_axis[i];
    const int64_t size = c.size(In(0, i));
    if (range.step != 1 || size < 0) continue;
    const Extent extent = Cut(range, size);
    c.TieRange(In(0, i), extent.start, Out(i), 0, extent.count);
    c.Free(In(0, i));
  }
}

Status EditSlice(ChannelEdit& e) {
  const auto known = RangesOf(e);
  if (!known) return {};
  std::vector<int64_t> starts = known->starts, ends = known->ends;
  bool changed = false;
  for (size_t i = 0; i < starts.size(); ++i) {
    PARE_ASSIGN(const int axis,
                NormalizeAxis(known->axes ? (*known->axes)[i] : static_cast<int64_t>(i),
                              e.input(0).rank()));
    if (!e.kept(In(0, axis))) continue;
    const Extent extent = Cut(known->of_axis[axis], e.old_size(In(0, axis)));
    starts[i] = e.KeptWithin(In(0, axis), 0, extent.start);
    ends[i] = starts[i] + e.KeptWithin(In(0, axis), extent.start, extent.start + extent.count);
    changed = true;
  }
  if (!changed) return {};
  PARE_TRY(e.SetInts(1, "starts", starts));
  return e.SetInts(2, "ends", ends);
}

}  // namespace

extern constinit const OpDef kSlice{.name = "Slice",
                                    .inputs = {{{"x"},
                                                {"starts"},
                                                {"ends"},
                                                {"axes", Presence::kOptional},
                                                {"steps", Presence::kOptional}}},
                                    .outputs = {{{"y"}}},
                                    .infer = InferSlice,
                                    .prepare = PrepareSlice,
                                    .grad = {.emit = GradSlice},
                                    .quant = kSameScaleRule,
                                    .channels = {.tie = TieSlice, .edit = EditSlice}};

}  // namespace pare::ops
