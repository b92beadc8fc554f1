// Batches of f32 matrix products through the gemm family.
#include "ops/activation_attr.h"
#include "ops/matmul.h"

namespace pare::ops {
namespace {

struct ProductState {
  Products products;
  kernels::GemmShape gemm;
  const kernels::GemmKernel* kernel = nullptr;
  kernels::Activation activation{};
  int64_t tasks = 0, panels = 0, packed_bytes = 0;  // of one product, one matrix b
  const std::byte* packed = nullptr;                // null: in the temp
  int temp = -1;

  void Pack(const float* b, const float* bias, int64_t matrix, int64_t panel_begin,
            int64_t panel_end, std::byte* to) const noexcept {
    const bool rows_of_k = products.order == kernels::GemmB::kKN;
    kernel->pack(gemm, products.order, b + matrix * gemm.k * gemm.n, rows_of_k ? gemm.n : gemm.k,
                 bias, panel_begin, panel_end, to + matrix * packed_bytes);
  }
};

// A task is one panel of one matrix.
void RunPack(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ProductState*>(args.state);
  const int bias_input = state.products.bias_input;
  const float* bias = bias_input < 0 ? nullptr : args.in<float>(bias_input);
  for (int64_t task = args.begin; task < args.end; ++task) {
    const int64_t panel = task % state.panels;
    state.Pack(args.in<float>(1), bias, task / state.panels, panel, panel + 1,
               static_cast<std::byte*>(args.temps[state.temp]));
  }
}

void RunProducts(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const ProductState*>(args.state);
  const auto& [m, n, k] = state.gemm;
  const MatMulShape& shape = state.products.shape;
  const std::byte* packed =
      state.packed ? state.packed : static_cast<const std::byte*>(args.temps[state.temp]);
  const float* a = state.products.a.at(args);
  const float* residual = state.products.residual.at(args);
  for (int64_t task = args.begin; task < args.end;) {
    const int64_t i = task / state.tasks, first = task % state.tasks;
    const int64_t last = std::min(state.tasks, first + args.end - task);
    const kernels::GemmArgs gemm{.shape = state.gemm,
                                 .a = a + shape.a_at[i] * m * k,
                                 .lda = k,
                                 .packed = packed + shape.b_at[i] * state.packed_bytes,
                                 .residual = residual ? residual + i * m * n : nullptr,
                                 .ldr = n,
                                 .c = args.out<float>(0) + i * m * n,
                                 .ldc = n,
                                 .activation = state.activation};
    state.kernel->run(gemm, first, last, args.scratch);
    task += last - first;
  }
}

}  // namespace

Status PrepareProducts(PrepareContext& context, Products products) {
  products.shape.FoldBatch();
  const MatMulShape& shape = products.shape;
  const int64_t count = static_cast<int64_t>(shape.a_at.size());
  if (count * shape.m * shape.n == 0) return {};
  ProductState made{.products = products, .gemm = {.m = shape.m, .n = shape.n, .k = shape.k}};
  PARE_ASSIGN(made.activation, ReadActivation(context.attrs()));
  const auto* row = kernels::FindGemm(context.cpu(), made.gemm);
  made.kernel = row->functions;
  made.tasks = made.kernel->tasks(made.gemm);
  made.panels = made.kernel->panels(made.gemm);
  made.packed_bytes = made.kernel->packed_bytes(made.gemm);
  ProductState* state = context.State(std::move(made));

  const size_t bytes = static_cast<size_t>(state->packed_bytes * shape.b_count);
  const int bias_input = products.bias_input;
  const Tensor* b = context.constant(1);
  const Tensor* bias = bias_input < 0 ? nullptr : context.constant(bias_input);
  if (b && (bias || bias_input < 0)) {
    const auto fill = [&](std::byte* to) {
      for (int64_t i = 0; i < shape.b_count; ++i) {
        state->Pack(b->as<float>().data(), bias ? bias->as<float>().data() : nullptr, i, 0,
                    state->panels, to);
      }
    };
    // Packed bytes depend on n, k and the kernel's panels, not on m.
    const std::string format = Text(
        row->name, products.order == kernels::GemmB::kKN ? " kn " : " nk ", shape.k, "x", shape.n);
    PARE_ASSIGN(state->packed, bias ? context.Pack({1, bias_input}, format, bytes, fill)
                                    : context.Pack({1}, format, bytes, fill));
  } else {
    state->temp = context.Temp(bytes);
    context.AddStep({.run = RunPack,
                     .state = state,
                     .tasks = state->panels * shape.b_count,
                     .kernel = "gemm_f32_pack"});
  }
  if (products.residual.kind == Operand::Kind::kInput)
    context.AllowInPlace(products.residual.index);
  context.AddStep({.run = RunProducts,
                   .state = state,
                   .tasks = state->tasks * count,
                   .scratch_bytes = static_cast<size_t>(state->kernel->scratch_bytes(state->gemm)),
                   .kernel = row->name});
  return {};
}

}  // namespace pare::ops
