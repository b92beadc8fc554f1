// MatMul, and pare.MatMul with bias, residual and activation: y = act(a · b + bias + residual).
#include "ops/matmul.h"

#include "kernels/plain/matmul.h"
#include "ops/channels.h"
#include "ops/grad.h"

namespace pare::ops {

using graph::Dim;
using graph::Shape;

Status InferMatMulShape(InferContext& context, int a_input, int b_input, DType output) {
  const Shape* a_shape = context.shape(a_input);
  const Shape* b_shape = context.shape(b_input);
  if (!a_shape || !b_shape) {
    context.set_output(0, output);
    return {};
  }
  if (a_shape->empty() || b_shape->empty()) return Invalid("an operand is a scalar");
  Shape a = *a_shape, b = *b_shape;
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), Dim(1));
  if (column) b.push_back(Dim(1));
  const Dim inner_a = a.back(), inner_b = b[b.size() - 2];
  if (inner_a.known() && inner_b.known() && inner_a != inner_b) {
    return Invalid(Text("the inner dimensions ", inner_a.size(), " and ", inner_b.size(),
                        " are not the same"));
  }
  PARE_ASSIGN(Shape y,
              BroadcastShapes(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2)));
  if (!row) y.push_back(a[a.size() - 2]);
  if (!column) y.push_back(b.back());
  context.set_output(0, output, std::move(y));
  return {};
}

namespace {

// For each matrix of `batch`, the index of the one it takes from an operand with the batch `from`.
std::vector<int64_t> BroadcastIndex(const Dims& batch, const Dims& from) {
  std::vector<int64_t> index(Count(batch));
  const size_t offset = batch.size() - from.size();
  for (size_t i = 0; i < index.size(); ++i) {
    int64_t rest = static_cast<int64_t>(i), step = 1;
    for (size_t axis = batch.size(); axis-- > 0;) {
      const int64_t at = rest % batch[axis];
      rest /= batch[axis];
      if (axis < offset) continue;
      const int64_t dim = from[axis - offset];
      if (dim != 1) index[i] += at * step;
      step *= dim;
    }
  }
  return index;
}

// […, m, k] · […, k, n]; the axes in front broadcast. A vector lacks m, or n.
void TieMatMul(ChannelContext& c) {
  const int a = c.rank(0), b = c.rank(1), y = c.rank(-1);
  if (a < 1 || b < 1) return;
  c.Tie(In(0, a - 1), In(1, std::max(0, b - 2)));
  const int rows = a > 1, columns = b > 1;
  if (rows) c.Tie(In(0, a - 2), Out(y - 1 - columns));
  if (columns) c.Tie(In(1, b - 1), Out(y - 1));
  const int batch = y - rows - columns;
  for (int i = 0; i + 2 < a; ++i) c.Tie(In(0, i), Out(i + batch - (a - 2)));
  for (int i = 0; i + 2 < b; ++i) c.Tie(In(1, i), Out(i + batch - (b - 2)));
}

}  // namespace

MatMulShape ReadMatMul(const Dims& a_shape, const Dims& b_shape) {
  Dims a = a_shape, b = b_shape;
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  MatMulShape shape{.m = a[a.size() - 2], .n = b.back(), .k = a.back()};
  const Dims a_batch(a.begin(), a.end() - 2), b_batch(b.begin(), b.end() - 2);
  shape.batch = BroadcastDims(a_batch, b_batch).value();  // infer has checked it
  shape.a_count = Count(a_batch);
  shape.b_count = Count(b_batch);
  shape.a_at = BroadcastIndex(shape.batch, a_batch);
  shape.b_at = BroadcastIndex(shape.batch, b_batch);
  return shape;
}

Cost CostOfMatMul(const NodeView& view, int a) {
  if (!view.input(a).is_static() || view.input(a).dims().empty()) return {};
  return {.macs = Work({OutputCount(view), view.input(a).dims().back()})};
}

void MatMulShape::FoldBatch() {
  if (b_count != 1 || a_count != static_cast<int64_t>(a_at.size())) return;
  m *= a_count;
  a_count = 1;
  batch.clear();
  a_at = b_at = {0};
}

namespace {

template <typename T>
void RunPlain(const StepArgs& step) noexcept {
  const auto& shape = *static_cast<const MatMulShape*>(step.state);
  for (int64_t i = step.begin; i < step.end; ++i) {
    kernels::PlainMatMul<T, T, T> product{.n = shape.n, .k = shape.k};
    product.a = step.in<T>(0) + shape.a_at[i] * shape.m * shape.k;
    product.b = step.in<T>(1) + shape.b_at[i] * shape.k * shape.n;
    product.c = step.out<T>(0) + i * shape.m * shape.n;
    product.run(0, shape.m);
  }
}

Status PrepareRareType(PrepareContext& context, MatMulShape shape) {
  const int64_t tasks = static_cast<int64_t>(shape.a_at.size());
  Step step{.state = context.State(std::move(shape)), .tasks = tasks, .kernel = "matmul_plain"};
  switch (context.dtype(0)) {
    case DType::kF64:
      step.run = RunPlain<double>;
      break;
    case DType::kI32:
      step.run = RunPlain<int32_t>;
      break;
    case DType::kI64:
      step.run = RunPlain<int64_t>;
      break;
    case DType::kU32:
      step.run = RunPlain<uint32_t>;
      break;
    case DType::kU64:
      step.run = RunPlain<uint64_t>;
      break;
    default:
      return Unsupported(Text("pare has no matrix product of ", DTypeName(context.dtype(0))));
  }
  context.AddStep(step);
  return {};
}

Status InferMatMul(InferContext& context) {
  return InferMatMulShape(context, 0, 1, context.dtype(0));
}

Status PrepareMatMul(PrepareContext& context) {
  MatMulShape shape = ReadMatMul(context.shape(0), context.shape(1));
  if (context.dtype(0) != DType::kF32) return PrepareRareType(context, std::move(shape));
  return PrepareProducts(context, {.shape = std::move(shape),
                                   .bias_input = context.has_input(2) ? 2 : -1,
                                   .residual = Operand::InputIfThere(context, 3)});
}

// An operand of one dimension is a row (a) or a column (b).
Var AsMatrix(Var x, bool column) {
  const Dims shape = x.dims();
  if (shape.size() > 1) return x;
  return Reshape(x, column ? Dims{shape[0], 1} : Dims{1, shape[0]});
}

// All but the last dimension as one.
Var AsRows(Var x) {
  const Dims shape = x.dims();
  return shape.size() == 2 ? x : Reshape(x, {Count(shape) / shape.back(), shape.back()});
}

// da = dy · bᵀ and db = aᵀ · dy.
Status GradMatMul(GradContext& context) {
  const Var a = AsMatrix(context.in(0), false), b = AsMatrix(context.in(1), true);
  Dims y = context.out_shape();
  if (context.input(0).rank() == 1) y.insert(y.end() - (context.input(1).rank() > 1), 1);
  if (context.input(1).rank() == 1) y.push_back(1);
  const Var dy = Reshape(context.dy(), y);
  Emitter& emit = context.emit();
  const bool one_b = b.rank() == 2;  // then the batch's rows are rows of one product
  Var da, db;
  if (context.wants(0)) {
    da = one_b ? Reshape(emit.Add("Gemm", {AsRows(dy), b}, {{"transB", int64_t{1}}}), a.dims())
               : MatMul(dy, TransposeMatrix(b));
    // Where b has the longer batch, a was repeated.
    context.gives(0, Reshape(context.input(0).rank() > 1 ? da : SumTo(da, a.dims()),
                             context.input(0).rank() > 1 ? da.dims() : context.in_shape(0)));
  }
  if (context.wants(1)) {
    db = one_b ? emit.Add("Gemm", {AsRows(a), AsRows(dy)}, {{"transA", int64_t{1}}})
               : MatMul(TransposeMatrix(a), dy);
    context.gives(1, Reshape(SumTo(db, b.dims()), context.in_shape(1)));
  }
  return {};
}

Cost CostOf(const NodeView& view) { return CostOfMatMul(view, 0); }

int64_t FanInOfMatMul(const NodeView& view, int input) {
  const Dims shape = view.input(input).dims();
  return shape[shape.size() - (input == 1 && shape.size() > 1 ? 2 : 1)];
}

constexpr QuantRule kQuant{.inputs = {{{Role::kActivation}, {Role::kWeight, 1}, {Role::kBias}}},
                           .integer = true};

}  // namespace

extern constinit const OpDef kMatMul{
    .name = "MatMul",
    .inputs = {{{"a"}, {"b"}}},
    .outputs = {{{"y"}}},
    .infer = InferMatMul,
    .prepare = PrepareMatMul,
    .grad = {.emit = GradMatMul, .parameters = Inputs({0, 1}), .fan_in = FanInOfMatMul},
    .quant = kQuant,
    .channels = {.tie = TieMatMul},
    .cost = CostOf,
    .accuracy = Accuracy::kRounding};

extern constinit const OpDef kPareMatMul{
    .name = "pare.MatMul",
    .inputs = {{{"a"}, {"b"}, {"bias", Presence::kOptional}, {"residual", Presence::kOptional}}},
    .outputs = {{{"y"}}},
    .infer = InferMatMul,
    .prepare = PrepareMatMul,
    .grad = {.none = "it is made for inference, behind differentiation"},
    .quant = kQuant,
    .channels = kOwnForm,
    .cost = CostOf,
    .accuracy = Accuracy::kRounding};

}  // namespace pare::ops
