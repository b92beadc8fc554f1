// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear.
#include <cmath>
#include <limits>

#include "kernels/qeltwise/qeltwise.h"
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/optional_input.h"

namespace pare::ops {
namespace {

using graph::Shape;

enum Input { kX, kScale, kZeroPoint };

// What a scale belongs to: x as [outer, scales, inner]; one scale for all is [1, 1, count].
struct Lines {
  int64_t outer = 1, scales = 1, inner = 1;
};

Result<Lines> ReadLines(const PrepareContext& context) {
  const Dims x = context.shape(kX), scale = context.shape(kScale);
  Lines lines;
  PARE_ASSIGN(lines.scales, CountOf(scale));
  if (context.attrs().i("block_size", 0) != 0) {
    return Unsupported("a scale for each block is not run by pare");
  }
  if (lines.scales == 1 && scale.size() <= 1) {
    PARE_ASSIGN(lines.inner, CountOf(x));
    return lines;
  }
  PARE_ASSIGN(const int axis,
              NormalizeAxis(context.attrs().i("axis", 1), static_cast<int>(x.size())));
  if (scale.size() != 1 || scale[0] != x[axis]) {
    return Invalid(
        Text("its scale is ", DimsText(scale), " for ", DimsText(x), " along axis ", axis));
  }
  for (int i = 0; i < axis; ++i) lines.outer *= x[i];
  for (size_t i = axis + 1; i < x.size(); ++i) lines.inner *= x[i];
  return lines;
}

// The zero points stand beside the scales, in the type of the integers.
Status CheckZeroPoint(const NodeView& view, DType integers) {
  if (!view.has_input(kZeroPoint)) return {};
  const graph::TensorType& scale = view.input(kScale);
  const graph::TensorType& zero = view.input(kZeroPoint);
  const auto wrong = [&](const graph::TensorType& of, DType dtype) {
    const auto& symbols = view.graph().symbols();
    return Invalid(Text("its zero point is ", graph::TypeText(zero, symbols), ", and ",
                        graph::TypeText({dtype, of.shape}, symbols), " is meant"));
  };
  const bool known = integers != DType::kNone && zero.dtype != DType::kNone;
  if (known && zero.dtype != integers) return wrong(scale, integers);
  if (!scale.shape || !scale.is_static() || !zero.shape || !zero.is_static()) return {};
  PARE_ASSIGN(const int64_t scales, CountOf(scale.dims()));
  PARE_ASSIGN(const int64_t zeros, CountOf(zero.dims()));
  return scales == zeros ? Status() : wrong(scale, zero.dtype);
}

struct QuantState {
  Lines lines;
  OptionalInput zero_point{};
  kernels::QEltwiseRun run = nullptr;  // null: the plain loop
  uint8_t flip = 0;
};

// clamp(rne(x / scale) + zero point) in double: exact for every integer type here. A task is a line
// of one scale.
template <typename T>
void RunQuantize(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const QuantState*>(args.state);
  const T* zero_points = state.zero_point.in<T>(args);
  constexpr double kLo = std::numeric_limits<T>::lowest(), kHi = std::numeric_limits<T>::max();
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t c = task % state.lines.scales;
    const float scale = args.in<float>(kScale)[c];
    const double zero_point = zero_points ? static_cast<double>(zero_points[c]) : 0.0;
    const float* x = args.in<float>(kX) + task * state.lines.inner;
    T* y = args.out<T>(0) + task * state.lines.inner;
    for (int64_t i = 0; i < state.lines.inner; ++i) {
      const double value = std::nearbyint(double{x[i] / scale}) + zero_point;
      y[i] = static_cast<T>(value > kLo ? (value < kHi ? value : kHi) : kLo);
    }
  }
}

template <typename T>
void RunDequantize(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const QuantState*>(args.state);
  const T* zero_points = state.zero_point.in<T>(args);
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t c = task % state.lines.scales;
    const float scale = args.in<float>(kScale)[c];
    const int64_t zero_point = zero_points ? zero_points[c] : 0;
    const T* x = args.in<T>(kX) + task * state.lines.inner;
    float* y = args.out<float>(0) + task * state.lines.inner;
    for (int64_t i = 0; i < state.lines.inner; ++i) {
      y[i] = static_cast<float>(x[i] - zero_point) * scale;
    }
  }
}

// Bytes with one scale. s8 is u8 with the sign bit flipped and a zero point 128 higher.
template <bool kToBytes>
void RunBytes(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const QuantState*>(args.state);
  const uint8_t* stored = state.zero_point.in<uint8_t>(args);
  const int32_t zero_point = (stored ? *stored : 0) ^ state.flip;
  kernels::QEltwiseArgs run{.cols = state.lines.inner, .a = args.inputs[kX], .y = args.outputs[0]};
  (kToBytes ? run.y_zero_point : run.a_zero_point) = zero_point;
  run.a_scale = *args.in<float>(kScale);
  run.flip = state.flip;
  state.run(run, args.begin, args.end);
}

bool IsByte(DType dtype) { return dtype == DType::kU8 || dtype == DType::kI8; }

Status Prepare(PrepareContext& context, DType dtype, bool to_integer, Step plain) {
  PARE_TRY(CheckZeroPoint(context, to_integer ? context.output_dtype() : context.dtype(kX)));
  if (context.dtype(kScale) != DType::kF32) {
    return Unsupported(Text("its scale is ", DTypeName(context.dtype(kScale)), ", not f32"));
  }
  PARE_ASSIGN(const Lines lines, ReadLines(context));
  if (lines.outer * lines.scales * lines.inner == 0) return {};
  QuantState state{.lines = lines, .zero_point = {context, kZeroPoint}};
  if (IsByte(dtype) && lines.outer * lines.scales == 1) {
    const auto* row = kernels::FindQEltwise(context.cpu());
    state.run = to_integer ? row->functions->quantize : row->functions->dequantize;
    state.flip = dtype == DType::kI8 ? 0x80 : 0;
    context.AddStep({.run = to_integer ? RunBytes<true> : RunBytes<false>,
                     .state = context.State(state),
                     .tasks = kernels::QEltwiseTasks(1, lines.inner),
                     .kernel = row->name});
    return {};
  }
  plain.state = context.State(state);
  plain.tasks = lines.outer * lines.scales;
  context.AddStep(plain);
  return {};
}

template <template <typename> typename Run>
void (*RunOf(DType dtype))(const StepArgs&) noexcept {
  switch (dtype) {
    case DType::kU8:
      return Run<uint8_t>::run;
    case DType::kI8:
      return Run<int8_t>::run;
    case DType::kU16:
      return Run<uint16_t>::run;
    case DType::kI16:
      return Run<int16_t>::run;
    case DType::kI32:
      return Run<int32_t>::run;
    default:
      return nullptr;
  }
}
template <typename T>
struct Quantize {
  static constexpr auto run = RunQuantize<T>;
};
template <typename T>
struct Dequantize {
  static constexpr auto run = RunDequantize<T>;
};

Status InferQuantize(InferContext& context) {
  graph::TensorType type = context.input(kX);
  type.dtype = context.has_input(kZeroPoint) ? context.dtype(kZeroPoint) : DType::kU8;
  if (type.dtype == DType::kI32)
    return Invalid("its zero point is i32: ONNX has no such QuantizeLinear");
  const int64_t asked = context.attrs().i("output_dtype", 0);
  if (!context.has_input(kZeroPoint) && asked != 0) {
    type.dtype = DTypeFromOnnx(static_cast<int>(asked));
    if (type.dtype == DType::kNone) return Unsupported(Text("pare has no type ", asked));
  }
  const DType integers = type.dtype;
  context.set_output(0, std::move(type));
  return CheckZeroPoint(context, integers);
}

Status PrepareQuantize(PrepareContext& context) {
  if (context.dtype(kX) != DType::kF32) {
    return Unsupported(Text("pare quantizes f32, not ", DTypeName(context.dtype(kX))));
  }
  const DType dtype = context.output_dtype();
  const auto run = RunOf<Quantize>(dtype);
  if (!run) return Unsupported(Text("pare does not quantize to ", DTypeName(dtype)));
  return Prepare(context, dtype, true, {.run = run, .kernel = "quantize_plain"});
}

Status InferDequantize(InferContext& context) {
  graph::TensorType type = context.input(kX);
  type.dtype = context.dtype(kScale) == DType::kNone ? DType::kF32 : context.dtype(kScale);
  context.set_output(0, std::move(type));
  return CheckZeroPoint(context, context.dtype(kX));
}

Status PrepareDequantize(PrepareContext& context) {
  const DType dtype = InMemory(context.dtype(kX));
  const auto run = RunOf<Dequantize>(dtype);
  if (!run) return Unsupported(Text("pare does not dequantize ", DTypeName(dtype)));
  return Prepare(context, dtype, false, {.run = run, .kernel = "dequantize_plain"});
}

Status InferDynamic(InferContext& context) {
  graph::TensorType type = context.input(0);
  type.dtype = DType::kU8;
  context.set_output(0, std::move(type));
  context.set_output(1, DType::kF32, Shape{});
  context.set_output(2, DType::kU8, Shape{});
  return {};
}

struct DynamicState {
  int64_t count;
  kernels::QEltwiseRun quantize;
};

// Scale and zero point from the range of x, which holds 0.
void RunRange(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const DynamicState*>(args.state);
  const float* x = args.in<float>(0);
  float lo = 0, hi = 0;
  for (int64_t i = 0; i < state.count; ++i) {
    lo = x[i] < lo ? x[i] : lo;
    hi = x[i] > hi ? x[i] : hi;
  }
  const float scale = hi == lo ? 1.0f : (hi - lo) / 255.0f;
  const float zero_point = std::nearbyint(std::fmin(std::fmax(-lo / scale, 0.0f), 255.0f));
  *args.out<float>(1) = scale;
  *args.out<uint8_t>(2) = static_cast<uint8_t>(zero_point);
}

void RunDynamic(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const DynamicState*>(args.state);
  kernels::QEltwiseArgs run{.cols = state.count, .a = args.inputs[0], .y = args.outputs[0]};
  run.a_scale = *args.out<float>(1);
  run.y_zero_point = *args.out<uint8_t>(2);
  state.quantize(run, args.begin, args.end);
}

Status PrepareDynamic(PrepareContext& context) {
  if (context.dtype(0) != DType::kF32) return Unsupported("pare quantizes f32");
  for (int i : {0, 1, 2}) {
    if (!context.has_output(i)) return Unsupported("one of its three outputs is missing");
  }
  PARE_ASSIGN(const int64_t count, CountOf(context.shape(0)));
  const auto* row = kernels::FindQEltwise(context.cpu());
  auto* state = context.State(DynamicState{count, row->functions->quantize});
  context.AddStep({.run = RunRange, .state = state, .kernel = "range_f32_plain"});
  if (count > 0) {
    context.AddStep({.run = RunDynamic,
                     .state = state,
                     .tasks = kernels::QEltwiseTasks(1, count),
                     .kernel = row->name});
  }
  return {};
}

constexpr QuantRule kQuant{.keep_float = "it is where integers begin or end"};

}  // namespace

extern constinit const OpDef kQuantizeLinear{
    .name = "QuantizeLinear",
    .inputs = {{{"x"}, {"scale"}, {"zero_point", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferQuantize,
    .prepare = PrepareQuantize,
    .grad = kNoSlope,
    .quant = kQuant,
    .channels = kOfQuantization,
    .cost = PerElement<4>};

extern constinit const OpDef kDequantizeLinear{
    .name = "DequantizeLinear",
    .inputs = {{{"x"}, {"scale"}, {"zero_point", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferDequantize,
    .prepare = PrepareDequantize,
    .grad = kIntegers,
    .quant = kQuant,
    .channels = kOfQuantization,
    .cost = PerElement<4>};

extern constinit const OpDef kDynamicQuantizeLinear{.name = "DynamicQuantizeLinear",
                                                    .inputs = {{{"x"}}},
                                                    .outputs = {{{"y"}, {"scale"}, {"zero_point"}}},
                                                    .infer = InferDynamic,
                                                    .prepare = PrepareDynamic,
                                                    .grad = kNoSlope,
                                                    .quant = kQuant,
                                                    .channels = kOfQuantization,
                                                    .cost = PerElement<4>};

}  // namespace pare::ops
