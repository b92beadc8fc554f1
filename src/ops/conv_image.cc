#include "kernels/dwconv/dwconv.h"
#include "kernels/plain/transpose2d.h"
#include "ops/image_step.h"
#include "ops/matmul.h"

namespace pare::ops {

kernels::ConvShape ImageShape(const ConvGeometry& conv) {
  auto shape = ConvImageShape<kernels::ConvShape>(conv);
  shape.in_stride = conv.x.channels;
  shape.out_stride = shape.residual_stride = conv.y.channels;
  return shape;
}

namespace {

struct TurnState {
  kernels::Transpose2dShape shape;
  Operand from;
  int to_temp;  // −1: output 0
};

void RunTurn(const StepArgs& args) noexcept {
  const auto& state = *static_cast<const TurnState*>(args.state);
  float* to =
      state.to_temp < 0 ? args.out<float>(0) : static_cast<float*>(args.temps[state.to_temp]);
  kernels::Transpose2d(state.shape, state.from.at(args), to, args.begin, args.end);
}

void AddTurn(PrepareContext& context, const TurnState& state) {
  context.AddStep({.run = RunTurn,
                   .state = context.State(state),
                   .tasks = state.shape.tasks(),
                   .kernel = "transpose_f32_plain"});
}

// Planes → pixels, into a temp.
Operand ToPixels(PrepareContext& context, const Image& image, int input) {
  const size_t bytes = static_cast<size_t>(image.batch * image.channels * image.pixels()) * 4;
  const int temp = context.Temp(bytes);
  AddTurn(context, {{image.batch, image.channels, image.pixels()}, Operand::Input(input), temp});
  return Operand::Temp(temp);
}

struct ConvState {
  kernels::ConvArgs args;
  const kernels::ConvKernel* kernel;
  Operand x, residual;
  int y_temp;  // −1: output 0
};

void RunConv(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const ConvState*>(step.state);
  kernels::ConvArgs args = state.args;
  args.x = state.x.at(step);
  args.residual = state.residual.at(step);
  args.y = state.y_temp < 0 ? step.out<float>(0) : static_cast<float*>(step.temps[state.y_temp]);
  state.kernel->run(args, step.begin, step.end, step.scratch);
}

Result<const std::byte*> PackWeights(PrepareContext& context, const ConvGeometry& conv,
                                     const kernels::ConvShape& shape,
                                     const kernels::Row<kernels::ConvKernel>& row,
                                     TurnWeights turn) {
  const Tensor* bias = context.constant(2);
  const auto fill = [&](std::byte* to) {
    const float* weights = context.constant(1)->as<float>().data();
    std::vector<float> turned;
    if (turn != TurnWeights::kNot) {
      const int64_t taps = shape.kernel_h * shape.kernel_w;
      const int64_t channels = context.constant(1)->count() / (conv.weights[0] * taps);
      kernels::Transpose2dShape turning{conv.weights[0], taps, channels};
      if (turn == TurnWeights::kTapsFirst) std::swap(turning.rows, turning.columns);
      turned.resize(static_cast<size_t>(context.constant(1)->count()));
      kernels::Transpose2d(turning, weights, turned.data(), 0, turning.tasks());
      weights = turned.data();
    }
    row->pack(shape, weights, bias ? bias->as<float>().data() : nullptr, to);
  };
  // Packed bytes depend on the weights' shape and the groups only.
  const std::string format =
      Text(row.name, " ", static_cast<int>(turn), " ", shape.groups, DimsText(conv.weights));
  const size_t bytes = static_cast<size_t>(row->packed_bytes(shape));
  return bias ? context.Pack({1, 2}, format, bytes, fill) : context.Pack({1}, format, bytes, fill);
}

}  // namespace

bool CanConvolveImage(const PrepareContext& context, const ConvGeometry& conv) {
  return conv.spatial <= 2 && context.constant(1) && (!context.has_input(2) || context.constant(2));
}

Status PrepareImageConv(PrepareContext& context, const ConvGeometry& conv) {
  const kernels::ConvShape shape = ImageShape(conv);
  const auto* row = conv.depthwise() ? kernels::FindDwConv(context.cpu(), shape)
                                     : kernels::FindConv(context.cpu(), shape);
  const bool turn = !conv.layout.channels_last && shape.group_in() > 1;
  return PrepareImageStep(context, conv, *row, turn ? TurnWeights::kTapsFirst : TurnWeights::kNot);
}

Status PrepareImageStep(PrepareContext& context, const ConvGeometry& conv,
                        const kernels::Row<kernels::ConvKernel>& row, TurnWeights turn) {
  const kernels::ConvShape shape = ImageShape(conv);
  if (shape.pixels() * shape.out_c == 0) return {};
  ConvState state{.args = {.shape = shape, .activation = {}},
                  .kernel = row.functions,
                  .x = Operand::Input(0),
                  .residual = Operand::InputIfThere(context, 3),
                  .y_temp = -1};
  PARE_ASSIGN(state.args.activation, ReadActivation(context.attrs()));
  PARE_ASSIGN(state.args.packed, PackWeights(context, conv, shape, row, turn));
  const bool last = conv.layout.channels_last;
  if (last) {
    context.AllowInPlace(3);
  } else {
    state.x = ToPixels(context, conv.x, 0);
    if (state.residual) state.residual = ToPixels(context, conv.y, 3);
    state.y_temp = context.Temp(static_cast<size_t>(shape.pixels() * shape.out_c) * sizeof(float));
  }
  context.AddStep({.run = RunConv,
                   .state = context.State(state),
                   .tasks = row->tasks(shape),
                   .scratch_bytes = static_cast<size_t>(row->scratch_bytes(shape)),
                   .kernel = row.name});
  if (!last) {
    AddTurn(context,
            {{conv.y.batch, conv.y.pixels(), conv.y.channels}, Operand::Temp(state.y_temp), -1});
  }
  return {};
}

}  // namespace pare::ops
