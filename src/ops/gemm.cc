// Gemm: y = act(alpha · a · b + beta · c + residual), a and b transposed where the attributes say
// so.
#include "ops/channels.h"
#include "ops/grad.h"
#include "ops/matmul.h"
#include "ops/weight_grad.h"

namespace pare::ops {
namespace {

using graph::Dim;
using graph::Shape;

Status InferGemm(InferContext& context) {
  const Shape* a = context.shape(0);
  const Shape* b = context.shape(1);
  if (!a || !b) {
    context.set_output(0, context.dtype(0), {Dim::Unknown(), Dim::Unknown()});
    return {};
  }
  if (a->size() != 2 || b->size() != 2) return Invalid("a and b must have two dimensions");
  const bool trans_a = context.attrs().i("transA", 0) != 0;
  const bool trans_b = context.attrs().i("transB", 0) != 0;
  const Dim inner_a = (*a)[trans_a ? 0 : 1], inner_b = (*b)[trans_b ? 1 : 0];
  if (inner_a.known() && inner_b.known() && inner_a != inner_b) {
    return Invalid(Text("the inner dimensions ", inner_a.size(), " and ", inner_b.size(),
                        " are not the same"));
  }
  const Shape y{(*a)[trans_a ? 1 : 0], (*b)[trans_b ? 0 : 1]};
  if (const Shape* c = context.shape(2)) {
    PARE_ASSIGN(const Shape broadcast, BroadcastShapes(y, *c));
    if (broadcast.size() != 2) return Invalid("c has more than two dimensions");
  }
  context.set_output(0, context.dtype(0), y);
  return {};
}

// a' = alpha · op(a), [m, k].
struct ScaledA {
  int64_t m, k, row_step, column_step;
  float alpha;
  int temp;
};

void RunScaleA(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ScaledA*>(args.state);
  float* to = static_cast<float*>(args.temps[state.temp]);
  for (int64_t i = args.begin; i < args.end; ++i) {
    const float* from = args.in<float>(0) + i * state.row_step;
    for (int64_t j = 0; j < state.k; ++j) {
      to[i * state.k + j] = state.alpha * from[j * state.column_step];
    }
  }
}

Operand PrepareA(PrepareContext& context, int64_t m, int64_t k) {
  const bool transposed = context.attrs().i("transA", 0) != 0;
  const float alpha = context.attrs().f("alpha", 1.0f);
  if (!transposed && alpha == 1.0f) return Operand::Input(0);
  const int temp = context.Temp(static_cast<size_t>(m * k) * sizeof(float));
  auto* state = context.State(ScaledA{m, k, transposed ? 1 : k, transposed ? m : 1, alpha, temp});
  context.AddStep({.run = RunScaleA, .state = state, .tasks = m, .kernel = "gemm_f32_scale"});
  return Operand::Temp(temp);
}

// c' = beta · c, broadcast to [m, n], + residual.
struct ScaledC {
  int64_t m, n, row_step, column_step;
  float beta;
  Operand residual;
  int temp;
};

void RunScaleC(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ScaledC*>(args.state);
  float* to = static_cast<float*>(args.temps[state.temp]);
  const float* residual = state.residual.at(args);
  for (int64_t i = args.begin; i < args.end; ++i) {
    const float* from = args.in<float>(2) + i * state.row_step;
    for (int64_t j = 0; j < state.n; ++j) {
      const int64_t at = i * state.n + j;
      to[at] = state.beta * from[j * state.column_step];
      if (residual) to[at] += residual[at];
    }
  }
}

// A row vector with beta = 1 is a bias; whatever else c may be becomes a residual.
void PrepareC(PrepareContext& context, Products& products) {
  const int64_t m = products.shape.m, n = products.shape.n;
  const float beta = context.attrs().f("beta", 1.0f);
  products.residual = Operand::InputIfThere(context, 3);
  if (!context.has_input(2) || beta == 0.0f) return;
  Dims c = context.shape(2);
  c.insert(c.begin(), 2 - c.size(), 1);
  if (beta == 1.0f && c[0] == 1 && c[1] == n) {
    products.bias_input = 2;
  } else if (beta == 1.0f && c[0] == m && c[1] == n && !products.residual) {
    products.residual = Operand::Input(2);
  } else {
    const int temp = context.Temp(static_cast<size_t>(m * n) * sizeof(float));
    auto* state = context.State(
        ScaledC{m, n, c[0] == 1 ? 0 : c[1], c[1] == 1 ? 0 : 1, beta, products.residual, temp});
    context.AddStep({.run = RunScaleC, .state = state, .tasks = m, .kernel = "gemm_f32_bias"});
    products.residual = Operand::Temp(temp);
  }
}

MatMulShape ShapeOf(const NodeView& view) {
  Dims a = view.input(0).dims(), b = view.input(1).dims();
  if (view.attrs().i("transA", 0) != 0) std::swap(a[0], a[1]);
  if (view.attrs().i("transB", 0) != 0) std::swap(b[0], b[1]);
  return ReadMatMul(a, b);
}

// aᵀ · b and nothing else: the gradient of a linear layer by its weights.
bool IsWeightGrad(const PrepareContext& context) {
  const graph::Attrs& attrs = context.attrs();
  return attrs.i("transA", 0) != 0 && attrs.i("transB", 0) == 0 && attrs.f("alpha", 1.0f) == 1.0f &&
         !context.has_input(2) && !context.has_input(3) && attrs.s("activation", "").empty();
}

// A row of a and of b is a pixel.
kernels::ConvShape PixelsOf(const MatMulShape& product) {
  kernels::ConvShape shape;
  shape.in_w = shape.out_w = product.k;
  shape.in_c = shape.in_stride = product.n;
  shape.out_c = shape.out_stride = product.m;
  return shape;
}

Status PrepareGemm(PrepareContext& context) {
  if (context.dtype(0) != DType::kF32) {
    return Unsupported(Text("pare's Gemm is f32, not ", DTypeName(context.dtype(0))));
  }
  Products products{.shape = ShapeOf(context)};
  if (IsWeightGrad(context)) {
    if (products.shape.m * products.shape.n == 0) return {};
    AddWeightGradSteps(context, PixelsOf(products.shape), 1, 0);
    return {};
  }
  const bool transposed = context.attrs().i("transB", 0) != 0;
  products.order = transposed ? kernels::GemmB::kNK : kernels::GemmB::kKN;
  products.a = PrepareA(context, products.shape.m, products.shape.k);
  PrepareC(context, products);
  return PrepareProducts(context, std::move(products));
}

// y = α·A·B + β·c with A = a or aᵀ, B = b or bᵀ: dA = α·dy·Bᵀ, dB = α·Aᵀ·dy, dc = β·dy.
Status GradGemm(GradContext& context) {
  const bool trans_a = context.attrs().i("transA", 0) != 0;
  const bool trans_b = context.attrs().i("transB", 0) != 0;
  const Var a = context.in(0), b = context.in(1), dy = context.dy();
  const auto product = [&](Var x, bool trans_x, Var y, bool trans_y) {
    return context.emit().Add("Gemm", {x, y},
                              {{"alpha", context.attrs().f("alpha", 1.0f)},
                               {"transA", static_cast<int64_t>(trans_x)},
                               {"transB", static_cast<int64_t>(trans_y)}});
  };
  if (context.wants(0))
    context.gives(0, trans_a ? product(b, trans_b, dy, true) : product(dy, false, b, !trans_b));
  if (context.wants(1))
    context.gives(1, trans_b ? product(dy, true, a, trans_a) : product(a, !trans_a, dy, false));
  if (context.inputs() > 2 && context.wants(2)) {
    const float beta = context.attrs().f("beta", 1.0f);
    context.gives(2, beta == 1.0f ? dy : dy * beta);
  }
  return {};
}

Cost CostOfGemm(const NodeView& view) {
  if (!view.input(0).is_static() || view.input(0).rank() != 2) return {};
  const bool transposed = view.attrs().i("transA", 0) != 0;
  return {.macs = Work({OutputCount(view), view.input(0).dims()[transposed ? 0 : 1]})};
}

void TieGemm(ChannelContext& c) {
  const bool trans_a = c.attrs().i("transA", 0) != 0, trans_b = c.attrs().i("transB", 0) != 0;
  const std::string_view inputs[] = {trans_a ? "km" : "mk", trans_b ? "nk" : "kn"};
  TieLabels(c, inputs, "mn");
  for (int i = 0; i < c.rank(2); ++i) c.Tie(In(2, i), Out(i + 2 - c.rank(2)));
}

int64_t FanInOfGemm(const NodeView& view, int input) {
  if (input > 1) return 0;
  const bool transposed = view.attrs().i(input == 0 ? "transA" : "transB", 0) != 0;
  return view.input(input).dims()[transposed == (input == 0) ? 0 : 1];
}

}  // namespace

// The weights' channel axis is that of transB = 1; a pass that quantizes reads the attribute.
extern constinit const OpDef kGemm{
    .name = "Gemm",
    .inputs = {{{"a"}, {"b"}, {"c", Presence::kOptional}, {"residual", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferGemm,
    .prepare = PrepareGemm,
    .grad = {.emit = GradGemm, .parameters = Inputs({0, 1, 2}), .fan_in = FanInOfGemm},
    .quant = {.inputs = {{{Role::kActivation}, {Role::kWeight, 0}, {Role::kBias}}},
              .integer = true},
    .channels = {.tie = TieGemm},
    .cost = CostOfGemm,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
