// Products of recurrent layers with the matrices of their directions, packed for the gemm family:
// once where they are constant, in a step of each run where training moves them.
#include "ops/recurrent.h"

namespace pare::ops {

using namespace recurrent;

void DirectionProducts::Run(const StepArgs& step, int64_t direction, const float* a,
                            const float* residual, int64_t ldr, float* c, int64_t ldc,
                            void* scratch) const noexcept {
  const kernels::GemmArgs args{.shape = shape,
                               .a = a,
                               .lda = shape.k,
                               .packed = matrix(step, direction),
                               .residual = residual,
                               .ldr = ldr,
                               .c = c,
                               .ldc = ldc,
                               .activation = {}};
  kernel->run(args, 0, kernel->tasks(shape), scratch);
}

namespace {

// Rows [first, first + shape.n) of each direction's matrix, and the biases that belong to them.
struct Packing {
  DirectionProducts products;
  int input = 0;
  int64_t rows = 0, first = 0;
  BiasPart part = BiasPart::kNone;
  OptionalInput bias{};

  // `sums` has room for the biases of one direction.
  void Pack(int64_t direction, const float* matrix, const float* b, float* sums,
            std::byte* to) const noexcept {
    const kernels::GemmShape& shape = products.shape;
    if (b) AddBiases(b + direction * 2 * rows, sums);
    products.kernel->pack(shape, kernels::GemmB::kNK, matrix + (direction * rows + first) * shape.k,
                          shape.k, b ? sums : nullptr, 0, products.kernel->panels(shape),
                          to + direction * products.packed_bytes);
  }

 private:
  // b holds w's biases of all gates, then r's.
  void AddBiases(const float* b, float* sums) const noexcept {
    for (int64_t i = 0; i < products.shape.n; ++i) {
      sums[i] = 0;
      if (part != BiasPart::kR) sums[i] += b[first + i];
      if (part != BiasPart::kW) sums[i] += b[rows + first + i];
    }
  }
};

// A task is a direction.
void RunPack(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const Packing*>(args.state);
  for (int64_t d = args.begin; d < args.end; ++d) {
    state.Pack(d, args.in<float>(state.input), state.bias.in<float>(args),
               static_cast<float*>(args.scratch),
               static_cast<std::byte*>(args.temps[state.products.temp]));
  }
}

}  // namespace

Result<DirectionProducts> PackDirections(PrepareContext& context, int input, int64_t m,
                                         int64_t first, int64_t count, BiasPart part,
                                         std::string_view key) {
  const Dims matrices = context.shape(input);  // [D, rows, k]
  const int64_t directions = matrices[0];
  Packing packing{.products = {.shape = {.m = m, .n = count, .k = matrices[2]}},
                  .input = input,
                  .rows = matrices[1],
                  .first = first,
                  .part = part};
  DirectionProducts& products = packing.products;
  const auto* row = kernels::FindGemm(context.cpu(), products.shape);
  products.kernel = row->functions;
  products.packed_bytes = products.kernel->packed_bytes(products.shape);
  if (part != BiasPart::kNone) packing.bias = {context, kB};
  const size_t bytes = static_cast<size_t>(directions * products.packed_bytes);
  const Tensor* matrix = context.constant(input);
  const Tensor* bias = packing.bias ? context.constant(kB) : nullptr;
  if (!matrix || (packing.bias && !bias)) {
    products.temp = context.Temp(bytes);
    context.AddStep({.run = RunPack,
                     .state = context.State(packing),
                     .tasks = directions,
                     .scratch_bytes = static_cast<size_t>(count) * sizeof(float),
                     .kernel = "recurrent_f32_pack"});
    return products;
  }
  std::vector<float> sums(static_cast<size_t>(count));
  const auto fill = [&](std::byte* to) {
    for (int64_t d = 0; d < directions; ++d) {
      packing.Pack(d, matrix->as<float>().data(), bias ? bias->as<float>().data() : nullptr,
                   sums.data(), to);
    }
  };
  const std::string format =
      Text(row->name, " ", key, " ", directions, "x", first, "+", count, "x", products.shape.k);
  PARE_ASSIGN(products.packed, context.has_input(kB)
                                   ? context.Pack({input, kB}, format, bytes, fill)
                                   : context.Pack({input}, format, bytes, fill));
  return products;
}

}  // namespace pare::ops
