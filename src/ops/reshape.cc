// Operators that give the same elements another shape: Reshape, Flatten, Identity. They cost
// nothing.
#include <algorithm>

#include "ops/channels.h"
#include "ops/grad.h"
#include "ops/op_def.h"
#include "ops/prepare.h"
#include "ops/rank.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

Status AliasInput(PrepareContext& context) {
  context.Alias(0);
  return {};
}

Status InferIdentity(InferContext& context) {
  context.set_output(0, context.input(0));
  if (const Shape* dims = context.dims_value(0)) context.set_dims_value(0, *dims);
  return {};
}

// The product of dims[begin, end); unknown where one of them is.
Dim Product(const Shape& dims, size_t begin, size_t end) {
  if (end - begin == 1) return dims[begin];
  int64_t product = 1;
  for (size_t i = begin; i < end; ++i) {
    if (!dims[i].known() || __builtin_mul_overflow(product, dims[i].size(), &product))
      return Dim::Unknown();
  }
  return product;
}

Status InferFlatten(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, context.dtype(0), {Dim::Unknown(), Dim::Unknown()});
    return {};
  }
  const int rank = static_cast<int>(shape->size());
  int64_t axis = context.attrs().i("axis", 1);
  if (axis != rank) {
    PARE_ASSIGN(axis, NormalizeAxis(axis, rank));
  }
  context.set_output(0, context.dtype(0), {Product(*shape, 0, axis), Product(*shape, axis, rank)});
  return {};
}

// Fills the −1 of a target shape: the elements of `from` that the other target dimensions don't
// take. A symbol on both sides cancels, so that [N,16,4,4] → [N,−1] is [N,256].
Dim InferredDim(const Shape& from, const Shape& target, size_t at) {
  std::vector<Dim> symbols;
  int64_t count = 1;
  for (Dim dim : from) {
    if (dim.is_symbol()) {
      symbols.push_back(dim);
    } else if (!dim.known() || __builtin_mul_overflow(count, dim.size(), &count)) {
      return Dim::Unknown();
    }
  }
  int64_t taken = 1;
  for (size_t i = 0; i < target.size(); ++i) {
    if (i == at) continue;
    const auto same = std::find(symbols.begin(), symbols.end(), target[i]);
    if (same != symbols.end()) {
      symbols.erase(same);
    } else if (!target[i].known() || __builtin_mul_overflow(taken, target[i].size(), &taken)) {
      return Dim::Unknown();
    }
  }
  if (taken == 0 || count % taken != 0) return Dim::Unknown();
  if (symbols.empty()) return count / taken;
  return symbols.size() == 1 && count == taken ? symbols[0] : Dim::Unknown();
}

// Fails where no size at `at` gives the target the elements of `from`, or, of a −1, where any
// would.
Status CheckRest(const Shape& from, const Shape& target, size_t at, bool is_minus_one) {
  const auto known = [](Dim dim) { return dim.known(); };
  Dims have, asked;
  for (const Dim dim : from) have.push_back(dim.known() ? dim.size() : -1);
  for (const Dim dim : target) asked.push_back(dim.known() ? dim.size() : -1);
  asked[at] = 1;
  if (!std::ranges::all_of(from, known) || std::ranges::count(asked, -1) > 0) return {};
  PARE_ASSIGN(const int64_t count, CountOf(have));
  PARE_ASSIGN(const int64_t taken, CountOf(asked));
  if (taken == 0 ? count == 0 && !is_minus_one : count % taken == 0) return {};
  asked[at] = -1;
  return Invalid(Text("can't reshape ", DimsText(have), " to ", DimsText(asked)));
}

// Element i of the target: a size, 0 (copy unless allowzero), −1 (the rest), or not known.
Status InferReshape(InferContext& context) {
  PARE_ASSIGN(const auto asked, ShapeFrom(context, 1));
  if (!asked || !context.dims_value(1)) {
    context.set_output(0, {context.dtype(0), asked});
    return {};
  }
  Shape target = *asked;
  const Shape* from = context.shape(0);
  const auto constant = context.ints(1);
  for (const int64_t size : constant.value_or(std::vector<int64_t>())) {
    if (size < -1) return Invalid(Text("the target shape holds ", size));
  }
  const bool copy_zero = context.attrs().i("allowzero", 0) == 0;
  size_t rest = target.size();
  for (size_t i = 0; i < target.size(); ++i) {
    if (copy_zero && target[i] == Dim(0)) {
      if (from && i >= from->size()) {
        return Invalid(Text("the target's 0 at ", i, " has no input dimension to copy"));
      }
      target[i] = from ? (*from)[i] : Dim::Unknown();
    } else if (constant && (*constant)[i] == -1) {
      if (rest != target.size()) return Invalid("the target shape has more than one -1");
      rest = i;
    }
  }
  // Of computed targets one unknown element may be the −1, too.
  if (!constant && std::count(target.begin(), target.end(), Dim::Unknown()) == 1) {
    rest = std::find(target.begin(), target.end(), Dim::Unknown()) - target.begin();
  }
  if (rest != target.size() && from) {
    PARE_TRY(CheckRest(*from, target, rest, constant.has_value()));
    target[rest] = InferredDim(*from, target, rest);
  }
  const graph::TensorType type{context.dtype(0), target};
  if (from && type.is_static() && context.input(0).is_static()) {
    PARE_ASSIGN(const int64_t before, CountOf(context.input(0).dims()));
    PARE_ASSIGN(const int64_t after, CountOf(type.dims()));
    if (before != after) {
      return Invalid(
          Text("can't reshape ", DimsText(context.input(0).dims()), " to ", DimsText(type.dims())));
    }
  }
  context.set_output(0, type);
  const Shape* dims = context.dims_value(0);
  if (dims && type.shape->size() <= 1) context.set_dims_value(0, *dims);
  return {};
}

Status InferShapeOf(InferContext& context) {
  const Shape* shape = context.shape(0);
  if (!shape) {
    context.set_output(0, DType::kI64, {Dim::Unknown()});
    return {};
  }
  const int64_t rank = static_cast<int64_t>(shape->size());
  const auto clamp = [&](int64_t axis) {
    return std::clamp(axis < 0 ? axis + rank : axis, int64_t{0}, rank);
  };
  const int64_t start = clamp(context.attrs().i("start", 0));
  const int64_t end = std::max(start, clamp(context.attrs().i("end", rank)));
  context.set_output(0, DType::kI64, {end - start});
  context.set_dims_value(0, Shape(shape->begin() + start, shape->begin() + end));
  return {};
}

struct ShapeState {
  Dims dims;
};

Status PrepareShape(PrepareContext& context) {
  // The type is static by now: constant folding normally removes this node before it gets here.
  const Dims all = context.shape(0);
  const int64_t rank = static_cast<int64_t>(all.size());
  int64_t start = context.attrs().i("start", 0);
  start = std::clamp(start < 0 ? start + rank : start, int64_t{0}, rank);
  const int64_t count = context.output_shape()[0];
  auto* state = context.State(ShapeState{Dims(all.begin() + start, all.begin() + start + count)});
  context.AddStep({.run =
                       [](const StepArgs& args) noexcept {
                         const auto& dims = static_cast<const ShapeState*>(args.state)->dims;
                         std::copy(dims.begin(), dims.end(), args.out<int64_t>(0));
                       },
                   .state = state,
                   .kernel = "shape"});
  return {};
}

constexpr QuantRule kSameScale{
    .inputs = {{{Role::kActivation}}}, .same_scale = true, .keep_float = {}};

// A computed target can be written as a constant: sizes, and −1 for one that is not known.
bool HasConstantForm(const ChannelContext& c) {
  if (c.constant(1)) return true;
  int open = 0;
  for (int i = 0; i < c.rank(-1); ++i) open += c.size(Out(i)) < 0;
  return c.rank(-1) >= 0 && open <= 1;
}

void TieReshape(ChannelContext& c) {
  if (HasConstantForm(c)) TieView(c);
}

Status EditReshape(ChannelEdit& e) {
  const Shape& to = *e.output(0).shape;
  std::vector<int64_t> target(to.size(), -1);
  const bool constant = e.constant(1) != nullptr;
  if (constant) {
    PARE_ASSIGN(target, e.Ints(1, "shape"));
  }
  bool changes = false;
  for (int i = 0; i < std::ssize(to); ++i) {
    if (!to[i].known() || (constant && target[i] <= 0)) continue;
    const int64_t size = e.new_size(Out(i));
    changes = changes || size != to[i].size();
    target[i] = size;
  }
  return changes ? e.SetInts(1, "shape", target) : Status();
}

// Its channels may go: it gives the new shape then.
void TieShapeOf(ChannelContext& c) {
  for (int i = 0; i < c.rank(0); ++i) c.Free(In(0, i));
}

}  // namespace

extern constinit const OpDef kIdentity{.name = "Identity",
                                       .inputs = {{{"x"}}},
                                       .outputs = {{{"y"}}},
                                       .infer = InferIdentity,
                                       .prepare = AliasInput,
                                       .grad = {.emit = GradOfView},
                                       .quant = kSameScale,
                                       .channels = kElementwise};

extern constinit const OpDef kFlatten{.name = "Flatten",
                                      .inputs = {{{"x"}}},
                                      .outputs = {{{"y"}}},
                                      .infer = InferFlatten,
                                      .prepare = AliasInput,
                                      .grad = {.emit = GradOfView},
                                      .quant = kSameScale,
                                      .channels = {.tie = TieView}};

extern constinit const OpDef kReshape{.name = "Reshape",
                                      .inputs = {{{"x"}, {"shape"}}},
                                      .outputs = {{{"y"}}},
                                      .infer = InferReshape,
                                      .prepare = AliasInput,
                                      .grad = {.emit = GradOfView},
                                      .quant = kSameScale,
                                      .channels = {.tie = TieReshape, .edit = EditReshape}};

extern constinit const OpDef kShape{.name = "Shape",
                                    .inputs = {{{"x"}}},
                                    .outputs = {{{"dims"}}},
                                    .infer = InferShapeOf,
                                    .prepare = PrepareShape,
                                    .grad = {.none = "it gives a shape, not numbers of the tensor"},
                                    .quant = {.keep_float = "it computes a shape"},
                                    .channels = {.tie = TieShapeOf}};

}  // namespace pare::ops
