// pare.QAdd, pare.QMul and pare.Lut: u8 in, u8 out (kernels/qeltwise/qeltwise.h has the formulas).
//
//   QAdd  a_multiplier = a_scale / y_scale, b_multiplier, a_, b_ and y_zero_point, lo = 0, hi = 255
//   QMul  multiplier = a_scale · b_scale / y_scale, the rest as QAdd
//   Lut   inputs x and table u8 [256]
#include "kernels/qeltwise/qeltwise.h"

#include "ops/channels.h"
#include "ops/common.h"

namespace pare::ops {
namespace {

using graph::Shape;

Status InferBroadcast(InferContext& context) {
  const Shape* a = context.shape(0);
  const Shape* b = context.shape(1);
  if (!a || !b) {
    context.set_output(0, DType::kU8);
    return {};
  }
  PARE_ASSIGN(Shape y, BroadcastShapes(*a, *b));
  context.set_output(0, DType::kU8, std::move(y));
  return {};
}

// A broadcast as `outer` calls on rows × columns. Neighbouring dimensions along which both operands
// behave alike are one.
struct BroadcastPlan {
  struct Dim {
    int64_t size;
    bool a, b;  // whether the operand moves along it
  };
  std::vector<Dim> outer;
  Dim row{1, true, true}, column{1, true, true};
  std::vector<int64_t> a_at, b_at;  // where each call begins
};

BroadcastPlan PlanBroadcast(const Dims& y, Dims a, Dims b) {
  a.insert(a.begin(), y.size() - a.size(), 1);
  b.insert(b.begin(), y.size() - b.size(), 1);
  BroadcastPlan plan;
  std::vector<BroadcastPlan::Dim>& dims = plan.outer;
  for (size_t i = 0; i < y.size(); ++i) {
    if (y[i] == 1) continue;
    const BroadcastPlan::Dim dim{y[i], a[i] != 1, b[i] != 1};
    if (!dims.empty() && dims.back().a == dim.a && dims.back().b == dim.b) {
      dims.back().size *= dim.size;
    } else {
      dims.push_back(dim);
    }
  }
  for (BroadcastPlan::Dim* to : {&plan.column, &plan.row}) {
    if (dims.empty()) continue;
    *to = dims.back();
    dims.pop_back();
  }
  const auto starts = [&](bool BroadcastPlan::Dim::* moves) {
    int64_t step =
        (plan.row.*moves ? plan.row.size : 1) * (plan.column.*moves ? plan.column.size : 1);
    std::vector<int64_t> at{0};
    for (size_t i = dims.size(); i-- > 0;) {
      std::vector<int64_t> more;
      for (int64_t k = 0; k < dims[i].size; ++k) {
        for (int64_t start : at) more.push_back(start + (dims[i].*moves ? k * step : 0));
      }
      at = std::move(more);
      if (dims[i].*moves) step *= dims[i].size;
    }
    return at;
  };
  plan.a_at = starts(&BroadcastPlan::Dim::a);
  plan.b_at = starts(&BroadcastPlan::Dim::b);
  return plan;
}

struct BinaryState {
  kernels::QEltwiseArgs args;  // of one call
  kernels::QEltwiseRun run;
  int a_input = 0, b_input = 1;
  std::vector<int64_t> a_at{}, b_at{};
  int64_t tasks = 1;  // of one call
};

void RunBinary(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const BinaryState*>(step.state);
  const int64_t elements = state.args.rows * state.args.cols;
  for (int64_t task = step.begin; task < step.end;) {
    const int64_t call = task / state.tasks, first = task % state.tasks;
    const int64_t last = std::min(state.tasks, first + step.end - task);
    kernels::QEltwiseArgs args = state.args;
    args.a = step.in<uint8_t>(state.a_input) + state.a_at[call];
    args.b = step.in<uint8_t>(state.b_input) + state.b_at[call];
    args.y = step.out<uint8_t>(0) + call * elements;
    state.run(args, first, last);
    task += last - first;
  }
}

Status PrepareBinary(PrepareContext& context, bool add) {
  for (int i : {0, 1}) {
    if (context.dtype(i) != DType::kU8) return Invalid("an operand is not u8");
  }
  const Dims y = context.output_shape();
  PARE_ASSIGN(const int64_t count, CountOf(y));
  if (count == 0) return {};
  BroadcastPlan plan = PlanBroadcast(y, context.shape(0), context.shape(1));
  const graph::Attrs& attrs = context.attrs();
  const auto* row = kernels::FindQEltwise(context.cpu());
  const auto integer = [&](const char* name, int64_t otherwise) {
    return static_cast<int32_t>(attrs.i(name, otherwise));
  };
  BinaryState state{.args = {.rows = plan.row.size,
                             .cols = plan.column.size,
                             .y_stride = plan.column.size,
                             .a_zero_point = integer("a_zero_point", 0),
                             .b_zero_point = integer("b_zero_point", 0),
                             .y_zero_point = integer("y_zero_point", 0),
                             .a_scale = attrs.f(add ? "a_multiplier" : "multiplier", 1.0f),
                             .b_scale = attrs.f("b_multiplier", 1.0f),
                             .lo = integer("lo", 0),
                             .hi = integer("hi", 255)},
                    .run = add ? row->functions->add : row->functions->mul};
  kernels::QEltwiseArgs& args = state.args;
  // Along columns a moves always; both formulas are symmetric.
  if (!plan.column.a) {
    std::swap(plan.column.a, plan.column.b);
    std::swap(plan.row.a, plan.row.b);
    std::swap(plan.a_at, plan.b_at);
    std::swap(state.a_input, state.b_input);
    std::swap(args.a_zero_point, args.b_zero_point);
    if (add) std::swap(args.a_scale, args.b_scale);
  }
  args.a_stride = plan.row.a ? args.cols : 0;
  args.b_step = plan.column.b ? 1 : 0;
  args.b_stride = !plan.row.b ? 0 : plan.column.b ? args.cols : 1;
  state.a_at = std::move(plan.a_at);
  state.b_at = std::move(plan.b_at);
  state.tasks = kernels::QEltwiseTasks(args.rows, args.cols);
  for (int i : {0, 1}) {
    if (context.shape(i) == y) context.AllowInPlace(i);
  }
  const int64_t tasks = state.tasks * static_cast<int64_t>(state.a_at.size());
  context.AddStep({.run = RunBinary,
                   .state = context.State(std::move(state)),
                   .tasks = tasks,
                   .kernel = row->name});
  return {};
}

Status PrepareQAdd(PrepareContext& context) { return PrepareBinary(context, true); }
Status PrepareQMul(PrepareContext& context) { return PrepareBinary(context, false); }

Status InferLut(InferContext& context) {
  graph::TensorType type = context.input(0);
  type.dtype = DType::kU8;
  context.set_output(0, std::move(type));
  return {};
}

struct LutState {
  int64_t count;
  kernels::QEltwiseRun lookup;
};

void RunLut(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const LutState*>(step.state);
  state.lookup({.cols = state.count,
                .a = step.inputs[0],
                .y = step.outputs[0],
                .table = step.in<uint8_t>(1)},
               step.begin, step.end);
}

Status PrepareLut(PrepareContext& context) {
  if (context.dtype(0) != DType::kU8 || context.dtype(1) != DType::kU8 ||
      context.shape(1) != Dims{256}) {
    return Invalid("x must be u8 and the table u8[256]");
  }
  PARE_ASSIGN(const int64_t count, CountOf(context.shape(0)));
  if (count == 0) return {};
  const auto* row = kernels::FindQEltwise(context.cpu());
  context.AllowInPlace(0);
  context.AddStep({.run = RunLut,
                   .state = context.State(LutState{count, row->functions->lookup}),
                   .tasks = kernels::QEltwiseTasks(1, count),
                   .kernel = row->name});
  return {};
}

constexpr QuantRule kQuant{.keep_float = "it is an integer operator"};

}  // namespace

extern constinit const OpDef kQAdd{.name = "pare.QAdd",
                                   .inputs = {{{"a"}, {"b"}}},
                                   .outputs = {{{"y"}}},
                                   .infer = InferBroadcast,
                                   .prepare = PrepareQAdd,
                                   .grad = kIntegers,
                                   .quant = kQuant,
                                   .channels = kOwnForm,
                                   .cost = PerElement<4>};

extern constinit const OpDef kQMul{.name = "pare.QMul",
                                   .inputs = {{{"a"}, {"b"}}},
                                   .outputs = {{{"y"}}},
                                   .infer = InferBroadcast,
                                   .prepare = PrepareQMul,
                                   .grad = kIntegers,
                                   .quant = kQuant,
                                   .channels = kOwnForm,
                                   .cost = PerElement<4>};

extern constinit const OpDef kLut{.name = "pare.Lut",
                                  .inputs = {{{"x"}, {"table"}}},
                                  .outputs = {{{"y"}}},
                                  .infer = InferLut,
                                  .prepare = PrepareLut,
                                  .grad = kIntegers,
                                  .quant = kQuant,
                                  .channels = kOwnForm,
                                  .cost = PerElement<4>};

}  // namespace pare::ops
