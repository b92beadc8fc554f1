// MatMulInteger and QLinearMatMul as ONNX has them, by the plain loop. A pass turns them into
// pare.QGemm where they matter.
#include <cmath>

#include "kernels/plain/matmul.h"
#include "ops/channels.h"
#include "ops/element_each.h"
#include "ops/matmul.h"
#include "ops/optional_input.h"

namespace pare::ops {
namespace {

// Inputs of QLinearMatMul.
enum Linear { kA, kAScale, kAZero, kB, kBScale, kBZero, kYScale, kYZero };

struct IntegerState {
  MatMulShape shape;
  int b = 1;
  OptionalInput a_zero{}, b_zero{};
  bool a_zero_a_row = false, b_zero_a_column = false;
  bool a_scale_a_row = false, b_scale_a_column = false;
  int temp = -1;  // the sums, for QLinearMatMul
};

// A task is one product of the batch.
template <typename A, typename B>
void RunSums(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const IntegerState*>(step.state);
  const MatMulShape& s = state.shape;
  int32_t* y =
      state.temp < 0 ? step.out<int32_t>(0) : static_cast<int32_t*>(step.temps[state.temp]);
  for (int64_t i = step.begin; i < step.end; ++i) {
    kernels::PlainMatMul<A, B, int32_t> product{.n = s.n, .k = s.k};
    product.a = step.in<A>(0) + s.a_at[i] * s.m * s.k;
    product.b = step.in<B>(state.b) + s.b_at[i] * s.k * s.n;
    product.a_zero = state.a_zero.in<A>(step);
    product.b_zero = state.b_zero.in<B>(step);
    product.a_zero_step = state.a_zero_a_row ? 1 : 0;
    product.b_zero_step = state.b_zero_a_column ? 1 : 0;
    product.c = y + i * s.m * s.n;
    product.run(0, s.m);
  }
}

// A task is one product of the batch; a and y have the same type.
template <typename Y>
void RunRequantize(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const IntegerState*>(step.state);
  const MatMulShape& s = state.shape;
  const float y_scale = *step.in<float>(kYScale);
  const float y_zero = *step.in<Y>(kYZero);
  constexpr float kLo = std::numeric_limits<Y>::lowest(), kHi = std::numeric_limits<Y>::max();
  for (int64_t i = step.begin; i < step.end; ++i) {
    const int32_t* sums = static_cast<const int32_t*>(step.temps[state.temp]) + i * s.m * s.n;
    Y* y = step.out<Y>(0) + i * s.m * s.n;
    for (int64_t at = 0; at < s.m * s.n; ++at) {
      const float a_scale = step.in<float>(kAScale)[state.a_scale_a_row ? at / s.n : 0];
      const float b_scale = step.in<float>(kBScale)[state.b_scale_a_column ? at % s.n : 0];
      const float multiplier = a_scale * b_scale / y_scale;
      const float value = std::nearbyint(static_cast<float>(sums[at]) * multiplier) + y_zero;
      y[at] = static_cast<Y>(std::fmin(std::fmax(value, kLo), kHi));
    }
  }
}

Result<void (*)(const StepArgs&) noexcept> SumsOf(DType a, DType b) {
  if (a == DType::kU8 && b == DType::kU8) return RunSums<uint8_t, uint8_t>;
  if (a == DType::kU8 && b == DType::kI8) return RunSums<uint8_t, int8_t>;
  if (a == DType::kI8 && b == DType::kI8) return RunSums<int8_t, int8_t>;
  if (a == DType::kI8 && b == DType::kU8) return RunSums<int8_t, uint8_t>;
  return Invalid(Text("a is ", DTypeName(a), " and b ", DTypeName(b), "; both must be bytes"));
}

Status AddSums(PrepareContext& context, IntegerState& state, int a_zero, int b_zero,
               const IntegerState** shared) {
  PARE_ASSIGN(const auto run, SumsOf(context.dtype(0), context.dtype(state.b)));
  state.a_zero = {context, a_zero};
  state.b_zero = {context, b_zero};
  const DType a = context.dtype(0), b = context.dtype(state.b);
  PARE_ASSIGN(state.a_zero_a_row, ElementEach(context, a_zero, a, state.shape.m));
  PARE_ASSIGN(state.b_zero_a_column, ElementEach(context, b_zero, b, state.shape.n));
  const int64_t tasks = static_cast<int64_t>(state.shape.a_at.size());
  *shared = context.State(state);
  context.AddStep({.run = run, .state = *shared, .tasks = tasks, .kernel = "matmulinteger_plain"});
  return {};
}

Status InferMatMulInteger(InferContext& context) {
  return InferMatMulShape(context, 0, 1, DType::kI32);
}
Status InferQLinearMatMul(InferContext& context) {
  return InferMatMulShape(context, kA, kB, context.dtype(kYZero));
}

// Inputs: a, b, a_zero?, b_zero?.
Status PrepareMatMulInteger(PrepareContext& context) {
  IntegerState state{.shape = ReadMatMul(context.shape(0), context.shape(1))};
  const IntegerState* shared;
  return AddSums(context, state, 2, 3, &shared);
}

Status PrepareQLinearMatMul(PrepareContext& context) {
  if (context.output_dtype() != context.dtype(kA)) return Unsupported("a and y differ in type");
  IntegerState state{.shape = ReadMatMul(context.shape(kA), context.shape(kB)), .b = kB};
  PARE_ASSIGN(state.a_scale_a_row, ElementEach(context, kAScale, DType::kF32, state.shape.m));
  PARE_ASSIGN(state.b_scale_a_column, ElementEach(context, kBScale, DType::kF32, state.shape.n));
  PARE_TRY(ElementEach(context, kYScale, DType::kF32, 1));
  PARE_TRY(ElementEach(context, kYZero, context.dtype(kA), 1));
  const int64_t tasks = static_cast<int64_t>(state.shape.a_at.size());
  state.temp = context.Temp(static_cast<size_t>(tasks * state.shape.m * state.shape.n) * 4);
  const IntegerState* shared;
  PARE_TRY(AddSums(context, state, kAZero, kBZero, &shared));
  const bool is_signed = context.output_dtype() == DType::kI8;
  context.AddStep({.run = is_signed ? RunRequantize<int8_t> : RunRequantize<uint8_t>,
                   .state = shared,
                   .tasks = tasks,
                   .kernel = "requantize_plain"});
  return {};
}

Cost CostOfMatMulInteger(const NodeView& view) { return CostOfMatMul(view, 0); }
Cost CostOfQLinearMatMul(const NodeView& view) { return CostOfMatMul(view, kA); }

constexpr QuantRule kQuant{.keep_float = "it is an integer operator"};

}  // namespace

extern constinit const OpDef kMatMulInteger{.name = "MatMulInteger",
                                            .inputs = {{{"a"},
                                                        {"b"},
                                                        {"a_zero_point", Presence::kOptional},
                                                        {"b_zero_point", Presence::kOptional}}},
                                            .outputs = {{{"y"}}},
                                            .infer = InferMatMulInteger,
                                            .prepare = PrepareMatMulInteger,
                                            .grad = kIntegers,
                                            .quant = kQuant,
                                            .channels = kOfQuantization,
                                            .cost = CostOfMatMulInteger};

extern constinit const OpDef kQLinearMatMul{.name = "QLinearMatMul",
                                            .inputs = {{{"a"},
                                                        {"a_scale"},
                                                        {"a_zero_point"},
                                                        {"b"},
                                                        {"b_scale"},
                                                        {"b_zero_point"},
                                                        {"y_scale"},
                                                        {"y_zero_point"}}},
                                            .outputs = {{{"y"}}},
                                            .infer = InferQLinearMatMul,
                                            .prepare = PrepareQLinearMatMul,
                                            .grad = kIntegers,
                                            .quant = kQuant,
                                            .channels = kOfQuantization,
                                            .cost = CostOfQLinearMatMul};

}  // namespace pare::ops
