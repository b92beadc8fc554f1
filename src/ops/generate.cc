// Operators that make tensors from few numbers: Range, ConstantOfShape, EyeLike, OneHot, and Size.
#include <cmath>
#include <cstring>

#include "kernels/move/move.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/element_each.h"
#include "ops/index.h"
#include "ops/nest.h"
#include "ops/rank.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

// --- Range

Result<Dim> RangeCount(const InferContext& context) {
  double number[3];
  for (int i = 0; i < 3; ++i) {
    const Tensor* constant = context.constant(i);
    if (!constant || constant->count() != 1) {
      // arange(n), n a symbol
      const auto start = context.ints(0), delta = context.ints(2);
      const Shape* limit = context.dims_value(1);
      const bool counts = start && delta && start->size() == 1 && delta->size() == 1 &&
                          (*start)[0] == 0 && (*delta)[0] == 1 && limit && limit->size() == 1;
      return counts ? (*limit)[0] : Dim::Unknown();
    }
    PARE_ASSIGN(const Tensor wide, Cast(*constant, DType::kF64));
    number[i] = wide.as<double>()[0];
  }
  if (number[2] == 0) return Invalid("the step is 0");
  const double count = std::ceil((number[1] - number[0]) / number[2]);
  if (!(count < 4e18)) return Invalid("it has no end");
  return Dim(count > 0 ? static_cast<int64_t>(count) : 0);
}

Status InferRange(InferContext& context) {
  PARE_ASSIGN(const Dim count, RangeCount(context));
  context.set_output(0, context.dtype(0), {count});
  return {};
}

struct RangeState {
  int64_t count;
};

template <typename T>
void RunRange(const StepArgs& args) noexcept {
  const int64_t count = static_cast<const RangeState*>(args.state)->count;
  const T start = *args.in<T>(0), delta = *args.in<T>(2);
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (std::is_integral_v<T>) {
      args.out<T>(0)[i] = static_cast<T>(static_cast<uint64_t>(start) +
                                         static_cast<uint64_t>(i) * static_cast<uint64_t>(delta));
    } else {
      args.out<T>(0)[i] = start + static_cast<T>(i) * delta;
    }
  }
}

Status PrepareRange(PrepareContext& context) {
  void (*run)(const StepArgs&) noexcept = nullptr;
  VisitDType(context.dtype(0), [&]<typename T>(T) {
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) run = RunRange<T>;
  });
  if (!run) return Unsupported(Text("it has no meaning for ", DTypeName(context.dtype(0))));
  for (int i : {0, 1, 2}) PARE_TRY(ElementEach(context, i, context.dtype(0), 1));
  context.AddStep({.run = run,
                   .state = context.State(RangeState{context.output_shape()[0]}),
                   .kernel = "range"});
  return {};
}

// --- ConstantOfShape

Tensor FillValue(const graph::Attrs& attrs) {
  const Tensor value = attrs.tensor("value");
  return value && value.count() == 1 ? value : Tensor::Scalar(0.0f);
}

Status InferConstantOfShape(InferContext& context) {
  const Tensor value = FillValue(context.attrs());
  PARE_ASSIGN(const auto asked, ShapeFrom(context, 0));
  if (!asked || !context.dims_value(0)) {
    context.set_output(0, {value.dtype(), asked});
    return {};
  }
  if (const auto sizes = context.ints(0)) {
    for (int64_t size : *sizes) {
      if (size < 0) return Invalid(Text("a size is ", size));
    }
  }
  const Shape& shape = *asked;
  context.set_output(0, value.dtype(), shape);
  if (shape.size() == 1 && shape[0].known() && shape[0].size() < 64 && !IsFloat(value.dtype())) {
    PARE_ASSIGN(const auto number, ToInt64s(value));
    context.set_dims_value(0,
                           Shape(shape[0].size(), number[0] < 0 ? Dim::Unknown() : Dim(number[0])));
  }
  return {};
}

struct FillState {
  uint64_t element = 0;
  int64_t element_bytes = 0, count = 0;
};

void RunFill(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const FillState*>(args.state);
  const int64_t begin = args.begin * kTaskElements;
  kernels::Fill(state.element_bytes, &state.element,
                args.out<std::byte>(0) + begin * state.element_bytes,
                std::min(args.end * kTaskElements, state.count) - begin);
}

Status PrepareConstantOfShape(PrepareContext& context) {
  const Tensor value = FillValue(context.attrs());
  FillState state{.element_bytes = static_cast<int64_t>(SizeOf(value.dtype())),
                  .count = Count(context.output_shape())};
  std::memcpy(&state.element, value.data(), value.bytes());
  AddStepIfAny(context, {.run = RunFill,
                         .state = context.State(state),
                         .tasks = ElementTasks(state.count),
                         .kernel = "fill"});
  return {};
}

// --- EyeLike

Status InferEyeLike(InferContext& context) {
  graph::TensorType type = context.input(0);
  if (context.attrs().has("dtype")) {
    type.dtype = DTypeFromOnnx(static_cast<int>(context.attrs().i("dtype", 0)));
    if (type.dtype == DType::kNone) return Unsupported("pare lacks its element type");
  }
  if (type.shape && type.shape->size() != 2) return Invalid("its input is no matrix");
  context.set_output(0, std::move(type));
  return {};
}

struct EyeState {
  int64_t rows, columns, diagonal, element_bytes;
  uint64_t one;
};

void RunEye(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const EyeState*>(args.state);
  std::memset(args.outputs[0], 0,
              static_cast<size_t>(state.rows * state.columns * state.element_bytes));
  for (int64_t row = 0; row < state.rows; ++row) {
    if (state.diagonal < -row || state.diagonal >= state.columns - row) continue;
    kernels::Fill(
        state.element_bytes, &state.one,
        args.out<std::byte>(0) + (row * state.columns + row + state.diagonal) * state.element_bytes,
        1);
  }
}

Status PrepareEyeLike(PrepareContext& context) {
  const Dims shape = context.output_shape();
  const DType dtype = context.output_dtype();
  EyeState state{shape[0], shape[1], context.attrs().i("k", 0), static_cast<int64_t>(SizeOf(dtype)),
                 0};
  const float one = 1;
  ConvertElements(DType::kF32, &one, dtype, &state.one, 1);
  context.AddStep({.run = RunEye, .state = context.State(state), .kernel = "eye"});
  return {};
}

// --- OneHot: indices, depth, [off, on]

Status InferOneHot(InferContext& context) {
  const Shape* indices = context.shape(0);
  const Tensor* depth = context.constant(1);
  if (!indices) {
    context.set_output(0, context.dtype(2));
    return {};
  }
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", -1), static_cast<int>(indices->size()) + 1));
  Dim size = Dim::Unknown();
  if (depth && depth->count() == 1) {
    PARE_ASSIGN(const Tensor wide, Cast(*depth, DType::kI64));
    if (wide.as<int64_t>()[0] < 0) return Invalid("its depth is negative");
    size = wide.as<int64_t>()[0];
  }
  Shape out = *indices;
  out.insert(out.begin() + axis, size);
  context.set_output(0, context.dtype(2), std::move(out));
  return {};
}

struct OneHotState {
  DType index_type;
  int64_t element_bytes, count, inner, depth;
};

void RunOneHot(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const OneHotState*>(args.state);
  const int64_t bytes = state.element_bytes;
  kernels::Fill(bytes, args.inputs[2], args.outputs[0], state.count * state.depth);
  const std::byte* on = args.in<std::byte>(2) + bytes;
  for (int64_t i = 0; i < state.count; ++i) {
    int64_t index;
    ConvertElements(state.index_type,
                    args.in<std::byte>(0) + i * static_cast<int64_t>(SizeOf(state.index_type)),
                    DType::kI64, &index, 1);
    if (index < 0) index += state.depth;
    if (index < 0 || index >= state.depth) continue;  // beyond the range: all off
    const int64_t outer = i / state.inner;
    kernels::Fill(bytes, on,
                  args.out<std::byte>(0) +
                      ((outer * state.depth + index) * state.inner + i % state.inner) * bytes,
                  1);
  }
}

Status PrepareOneHot(PrepareContext& context) {
  const Dims out = context.output_shape();
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", -1), static_cast<int>(out.size())));
  if (context.dtype(0) == DType::kBool || Count(context.shape(2)) != 2) {
    return Invalid("it needs indices and a pair of values");
  }
  context.AddStep(
      {.run = RunOneHot,
       .state = context.State(OneHotState{
           context.dtype(0), static_cast<int64_t>(SizeOf(context.dtype(2))),
           Count(context.shape(0)), Count(Dims(out.begin() + axis + 1, out.end())), out[axis]}),
       .kernel = "onehot"});
  return {};
}

// --- Size

Status InferSize(InferContext& context) {
  context.set_output(0, DType::kI64, {});
  const auto& type = context.input(0);
  if (type.shape && type.is_static()) {
    PARE_ASSIGN(const int64_t count, CountOf(type.dims()));
    context.set_dims_value(0, {Dim(count)});
  }
  return {};
}

Status PrepareSize(PrepareContext& context) {
  const uint64_t count = static_cast<uint64_t>(Count(context.shape(0)));
  context.AddStep(
      {.run = RunFill, .state = context.State(FillState{count, 8, 1}), .kernel = "size"});
  return {};
}

constexpr QuantRule kShapes{.keep_float = "its values come from no activation"};

}  // namespace

extern constinit const OpDef kRange{
    .name = "Range",
    .inputs = {{{"start"}, {"limit"}, {"delta"}}},
    .outputs = {{{"y"}}},
    .infer = InferRange,
    .prepare = PrepareRange,
    .grad = {.none = "it counts"},
    .quant = kShapes,
    .channels = {.none = "its extents come from a shape, not from channels"}};

extern constinit const OpDef kConstantOfShape{
    .name = "ConstantOfShape",
    .inputs = {{{"shape"}}},
    .outputs = {{{"y"}}},
    .infer = InferConstantOfShape,
    .prepare = PrepareConstantOfShape,
    .grad = {.none = "it reads a shape, not numbers"},
    .quant = kShapes,
    .channels = {.none = "its extents come from a shape, not from channels"}};

extern constinit const OpDef kEyeLike{
    .name = "EyeLike",
    .inputs = {{{"x"}}},
    .outputs = {{{"y"}}},
    .infer = InferEyeLike,
    .prepare = PrepareEyeLike,
    .grad = {.none = "it reads a shape, not numbers"},
    .quant = kShapes,
    .channels = {.none = "its extents come from a shape, not from channels"}};

extern constinit const OpDef kOneHot{
    .name = "OneHot",
    .inputs = {{{"indices"}, {"depth"}, {"values"}}},
    .outputs = {{{"y"}}},
    .infer = InferOneHot,
    .prepare = PrepareOneHot,
    .grad = kNoSlope,
    .quant = kShapes,
    .channels = {.none = "its extents come from a shape, not from channels"},
    .mixed_types = true};

extern constinit const OpDef kSize{.name = "Size",
                                   .inputs = {{{"x"}}},
                                   .outputs = {{{"count"}}},
                                   .infer = InferSize,
                                   .prepare = PrepareSize,
                                   .grad = {.none = "it reads a shape, not numbers"},
                                   .quant = kShapes,
                                   .channels = {.none = "it counts all elements"}};

}  // namespace pare::ops
