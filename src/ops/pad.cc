// Pad: more elements at the ends of axes (fewer where a pad is negative), by a mode.
#include <algorithm>

#include "kernels/move/move.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/dim_arithmetic.h"
#include "ops/element_each.h"
#include "ops/grad.h"
#include "ops/move.h"
#include "ops/optional_input.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

struct Pads {
  std::vector<int64_t> begin, end;  // of each axis
};

// The input `pads` is [begins…, ends…] of all axes, or of those that `axes` names.
Result<Pads> PadsOf(int rank, const std::vector<int64_t>& values,
                    const std::optional<std::vector<int64_t>>& axes) {
  const size_t count = axes ? axes->size() : rank;
  if (values.size() != 2 * count) {
    return Invalid(Text(values.size(), " pads for ", count, " axes"));
  }
  Pads pads{std::vector<int64_t>(rank), std::vector<int64_t>(rank)};
  for (size_t i = 0; i < count; ++i) {
    int axis = static_cast<int>(i);
    if (axes) {
      PARE_ASSIGN(axis, NormalizeAxis((*axes)[i], rank, "axes"));
    }
    pads.begin[axis] = values[i];
    pads.end[axis] = values[count + i];
    constexpr int64_t kMost = int64_t{1} << 40;
    if (std::max(std::abs(values[i] / 2), std::abs(values[count + i] / 2)) > kMost / 2) {
      return Invalid(Text("it pads by ", values[i], " and ", values[count + i]));
    }
  }
  return pads;
}

Status InferPad(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, context.dtype(0));
    return {};
  }
  const auto values = context.ints(1), axes = context.ints(3);
  Shape out(shape->size(), Dim::Unknown());
  if (values && (axes || !context.has_input(3))) {
    PARE_ASSIGN(const Pads pads, PadsOf(static_cast<int>(shape->size()), *values, axes));
    for (size_t i = 0; i < out.size(); ++i) {
      const int64_t more = pads.begin[i] + pads.end[i];
      const Dim dim = (*shape)[i];
      if (dim.known() && dim.size() + more < 0) {
        return Invalid(Text("axis ", i, " of size ", dim.size(), " is padded by ", more));
      }
      out[i] = dim.known() ? Dim(dim.size() + more) : more == 0 ? dim : Dim::Unknown();
    }
  }
  context.set_output(0, context.dtype(0), std::move(out));
  return {};
}

struct FillState {
  OptionalInput value;
  int64_t element_bytes, count;
};

void RunFill(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const FillState*>(args.state);
  const uint64_t zero = 0;
  const void* value = state.value.in<void>(args);
  const int64_t begin = args.begin * kTaskElements;
  kernels::Fill(state.element_bytes, value ? value : &zero,
                args.out<std::byte>(0) + begin * state.element_bytes,
                std::min(args.end * kTaskElements, state.count) - begin);
}

// All is filled with the value, then the input (or what negative pads leave of it) goes inside.
Status PrepareConstant(PrepareContext& context, const Pads& pads) {
  const Dims in = context.shape(0), out = context.output_shape();
  const int64_t bytes = static_cast<int64_t>(SizeOf(context.dtype(0))), count = Count(out);
  PARE_TRY(ElementEach(context, 2, context.dtype(0), 1));
  const bool grows =
      std::any_of(pads.begin.begin(), pads.begin.end(), [](auto p) { return p > 0; }) ||
      std::any_of(pads.end.begin(), pads.end.end(), [](auto p) { return p > 0; });
  if (grows) {
    AddStepIfAny(context,
                 {.run = RunFill,
                  .state = context.State(FillState{OptionalInput(context, 2), bytes, count}),
                  .tasks = ElementTasks(count),
                  .kernel = "fill"});
  }
  const Dims from = DenseSteps(in), to = DenseSteps(out);
  MovePart part;
  Dims box(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    const int64_t skipped = std::max<int64_t>(0, -pads.begin[i]);
    box[i] = std::max<int64_t>(0, in[i] - skipped - std::max<int64_t>(0, -pads.end[i]));
    part.from += skipped * from[i];
    part.to += std::max<int64_t>(0, pads.begin[i]) * to[i];
  }
  part.nest = MoveNest(box, from, to);
  return AddMoveStep(context, bytes, {std::move(part)});
}

enum class Mode : uint8_t { kConstant, kReflect, kEdge, kWrap };

// Which element of [0, size) stands at `i`, which may be outside.
int64_t Mirror(Mode mode, int64_t i, int64_t size) {
  if (mode == Mode::kEdge) return std::clamp<int64_t>(i, 0, size - 1);
  const int64_t period = mode == Mode::kWrap ? size : std::max<int64_t>(1, 2 * (size - 1));
  i = (i % period + period) % period;
  return i < size ? i : period - i;
}

struct MirrorState {
  std::vector<std::vector<int64_t>> offsets;  // of each axis of y: where in x, in elements
  int64_t element_bytes = 0, rows = 0, rows_per_task = 1;
};

// Copies rows of y whose elements come from x + offset + columns[i].
template <typename T>
void MirrorRow(const T* x, const std::vector<int64_t>& columns, T* y) {
  for (size_t i = 0; i < columns.size(); ++i) y[i] = x[columns[i]];
}

void RunMirror(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const MirrorState*>(args.state);
  const std::vector<int64_t>& columns = state.offsets.back();
  const int64_t end = std::min(args.end * state.rows_per_task, state.rows);
  for (int64_t row = args.begin * state.rows_per_task; row < end; ++row) {
    int64_t from = 0, rest = row;
    for (size_t i = state.offsets.size() - 1; i-- > 0;) {
      const int64_t size = std::ssize(state.offsets[i]);
      from += state.offsets[i][rest % size];
      rest /= size;
    }
    const int64_t to = row * std::ssize(columns);
    switch (state.element_bytes) {
      case 1:
        MirrorRow(args.in<uint8_t>(0) + from, columns, args.out<uint8_t>(0) + to);
        break;
      case 2:
        MirrorRow(args.in<uint16_t>(0) + from, columns, args.out<uint16_t>(0) + to);
        break;
      case 4:
        MirrorRow(args.in<uint32_t>(0) + from, columns, args.out<uint32_t>(0) + to);
        break;
      default:
        MirrorRow(args.in<uint64_t>(0) + from, columns, args.out<uint64_t>(0) + to);
    }
  }
}

Status PrepareMirror(PrepareContext& context, const Pads& pads, Mode mode) {
  const Dims in = context.shape(0), out = context.output_shape(), steps = DenseSteps(in);
  if (Count(out) == 0) return {};
  if (Count(in) == 0) return Invalid("there are no elements to repeat");
  MirrorState state;
  state.element_bytes = static_cast<int64_t>(SizeOf(context.dtype(0)));
  for (size_t axis = 0; axis < in.size(); ++axis) {
    std::vector<int64_t> offsets(out[axis]);
    for (int64_t i = 0; i < out[axis]; ++i) {
      offsets[i] = Mirror(mode, i - pads.begin[axis], in[axis]) * steps[axis];
    }
    state.offsets.push_back(std::move(offsets));
  }
  if (in.empty()) state.offsets.push_back({0});
  state.rows = Count(out) / std::ssize(state.offsets.back());
  state.rows_per_task = std::max<int64_t>(1, kTaskElements / std::ssize(state.offsets.back()));
  const int64_t tasks = (state.rows + state.rows_per_task - 1) / state.rows_per_task;
  context.AddStep({.run = RunMirror,
                   .state = context.State(std::move(state)),
                   .tasks = tasks,
                   .kernel = "mirror"});
  return {};
}

Result<Mode> ModeOf(const graph::Attrs& attrs) {
  const std::string mode = attrs.s("mode", "constant");
  if (mode == "constant") return Mode::kConstant;
  if (mode == "reflect") return Mode::kReflect;
  if (mode == "edge") return Mode::kEdge;
  if (mode == "wrap") return Mode::kWrap;
  return Invalid(Text("mode is \"", mode, "\""));
}

Result<Pads> ReadPads(const NodeView& view) {
  PARE_ASSIGN(const auto values, view.Ints(1, "pads"));
  std::optional<std::vector<int64_t>> axes;
  if (view.has_input(3)) {
    PARE_ASSIGN(axes, view.Ints(3, "axes"));
  }
  return PadsOf(view.input(0).rank(), values, axes);
}

Status PreparePad(PrepareContext& context) {
  PARE_ASSIGN(const Pads pads, ReadPads(context));
  PARE_ASSIGN(const Mode mode, ModeOf(context.attrs()));
  if (mode == Mode::kConstant) return PrepareConstant(context, pads);
  return PrepareMirror(context, pads, mode);
}

// Of constants: what was added is cut off. The rest of dy goes to the value.
void GradConstant(GradContext& g, const Pads& pads) {
  Dims begins, ends;
  for (int64_t pad : pads.begin) begins.push_back(-pad);
  for (int64_t pad : pads.end) ends.push_back(-pad);
  const Var dx = PadZeros(g.dy(), begins, ends);
  g.gives(0, dx);
  if (g.has_input(2) && g.wants(2)) {
    g.gives(2, ReduceSum(g.dy(), {}, KeepDims::kNo) - ReduceSum(dx, {}, KeepDims::kNo));
  }
}

// Axis by axis, each element of dy goes where its number was read.
Status GradPad(GradContext& g) {
  PARE_ASSIGN(const Pads pads, ReadPads(g));
  PARE_ASSIGN(const Mode mode, ModeOf(g.attrs()));
  if (mode == Mode::kConstant) {
    GradConstant(g, pads);
    return {};
  }
  const Dims in = g.in_shape(0), out = g.out_shape();
  Var dx = g.dy();
  for (size_t axis = 0; axis < in.size(); ++axis) {
    if (pads.begin[axis] == 0 && pads.end[axis] == 0) continue;
    std::vector<int64_t> from(out[axis]);
    for (int64_t i = 0; i < out[axis]; ++i) from[i] = Mirror(mode, i - pads.begin[axis], in[axis]);
    dx = SumAt(dx, g.emit().Ints(from), static_cast<int64_t>(axis), in[axis]);
  }
  g.gives(0, dx);
  return {};
}

// The constant pads of each axis; nothing where they are not known.
std::optional<Pads> KnownPads(int rank, const std::optional<std::vector<int64_t>>& values,
                              bool has_axes, const std::optional<std::vector<int64_t>>& axes) {
  if (!values || (has_axes && !axes)) return std::nullopt;
  auto pads = PadsOf(rank, *values, axes);
  return pads ? std::optional(std::move(*pads)) : std::nullopt;
}

// Channels of a constant around those of the input, as in the zero-padded shortcuts of residual
// networks: positions of their own, tied by what is added to them.
void TiePad(ChannelContext& c) {
  const auto pads = KnownPads(c.rank(0), c.ints(1), c.has_input(3), c.ints(3));
  if (!pads) return;
  const bool constant = c.attrs().s("mode", "constant") == "constant";
  for (int i = 0; i < c.rank(0); ++i) {
    const int64_t begin = pads->begin[i], end = pads->end[i];
    if (begin == 0 && end == 0) {
      c.Tie(In(0, i), Out(i));
    } else if (constant && begin >= 0 && end >= 0 && c.size(In(0, i)) >= 0) {
      c.TieRange(In(0, i), 0, Out(i), begin, c.size(In(0, i)));
      c.Free(Out(i));
    }
  }
}

Status EditPad(ChannelEdit& e) {
  PARE_ASSIGN(std::vector<int64_t> values, e.Ints(1, "pads"));
  const std::vector<int64_t> before = values;
  std::optional<std::vector<int64_t>> axes;
  if (e.has_input(3)) {
    PARE_ASSIGN(axes, e.Ints(3, "axes"));
  }
  const int64_t count = std::ssize(values) / 2;
  for (int64_t i = 0; i < count; ++i) {
    PARE_ASSIGN(const int axis, NormalizeAxis(axes ? (*axes)[i] : i, e.input(0).rank()));
    if (!e.kept(Out(axis))) continue;
    const int64_t size = e.old_size(Out(axis)), begin = values[i], end = values[count + i];
    values[i] = e.KeptWithin(Out(axis), 0, begin);
    values[count + i] = e.KeptWithin(Out(axis), size - end, size);
  }
  return values == before ? Status() : e.SetInts(1, "pads", values);
}

}  // namespace

extern constinit const OpDef kPad{
    .name = "Pad",
    .inputs = {{{"x"}, {"pads"}, {"value", Presence::kOptional}, {"axes", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferPad,
    .prepare = PreparePad,
    .grad = {.emit = GradPad},
    .quant = kSameScaleRule,
    .channels = {.tie = TiePad, .edit = EditPad}};

}  // namespace pare::ops
