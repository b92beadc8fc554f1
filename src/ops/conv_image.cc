#include "kernels/dwconv/dwconv.h"
#include "kernels/plain/transpose2d.h"
#include "ops/image_step.h"
#include "ops/matmul.h"
#include "ops/optional_input.h"

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

// Packs weights and bias for a row: once where they are constant, else in a step of each run.
struct PackState {
  ImageConv image;
  OptionalInput bias;
  int temp;
};

void RunPack(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const PackState*>(step.state);
  kernels::ConvWeights weights = state.image.weights;
  weights.data = step.in<float>(1);
  (*state.image.row)
      ->pack(state.image.shape, weights, state.bias.in<float>(step), step.begin, step.end,
             step.temps[state.temp]);
}

Result<const std::byte*> PackNow(PrepareContext& context, const ImageConv& image) {
  const auto& row = *image.row;
  const Tensor* bias = context.constant(2);
  kernels::ConvWeights weights = image.weights;
  weights.data = context.constant(1)->as<float>().data();
  const auto fill = [&](std::byte* to) {
    row->pack(image.shape, weights, bias ? bias->as<float>().data() : nullptr, 0,
              row->panels(image.shape), to);
  };
  // The window counts because a transposed convolution sorts its taps by phase.
  const kernels::ConvShape& s = image.shape;
  const Dims key{s.in_c,     s.out_c,       s.groups,     s.kernel_h,   s.kernel_w,
                 s.stride_h, s.stride_w,    s.dilation_h, s.dilation_w, s.pad_top,
                 s.pad_left, weights.first, weights.tap,  weights.in};
  const std::string format = Text(row.name, " ", DimsText(key));
  const size_t bytes = static_cast<size_t>(row->packed_bytes(s));
  return bias ? context.Pack({1, 2}, format, bytes, fill) : context.Pack({1}, format, bytes, fill);
}

int AddPackStep(PrepareContext& context, const ImageConv& image) {
  const auto& row = *image.row;
  const int temp = context.Temp(static_cast<size_t>(row->packed_bytes(image.shape)));
  context.AddStep({.run = RunPack,
                   .state = context.State(PackState{image, {context, 2}, temp}),
                   .tasks = row->panels(image.shape),
                   .kernel = "conv_f32_pack"});
  return temp;
}

struct ConvState {
  kernels::ConvArgs args;
  const kernels::ConvKernel* kernel;
  Operand x, residual;
  int packed_temp;  // −1: args have them
  int y_temp;       // −1: output 0
};

void RunConv(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const ConvState*>(step.state);
  kernels::ConvArgs args = state.args;
  args.x = state.x.at(step);
  args.residual = state.residual.at(step);
  if (state.packed_temp >= 0) args.packed = step.temps[state.packed_temp];
  args.y = state.y_temp < 0 ? step.out<float>(0) : static_cast<float*>(step.temps[state.y_temp]);
  state.kernel->run(args, step.begin, step.end, step.scratch);
}

}  // namespace

ImageConv MakeImageConv(const PrepareContext& context, const ConvGeometry& conv,
                        const kernels::ConvShape& shape, const kernels::ConvWeights& weights) {
  const auto* row = conv.depthwise() ? kernels::FindDwConv(context.cpu(), shape)
                                     : kernels::FindConv(context.cpu(), shape);
  return {shape, row, weights};
}

Status PrepareImageConv(PrepareContext& context, const ConvGeometry& conv) {
  const kernels::ConvShape shape = ImageShape(conv);
  const auto weights = kernels::DenseWeights(shape, nullptr, TapOrderOf(conv));
  return PrepareImageStep(context, conv, MakeImageConv(context, conv, shape, weights));
}

Status PrepareImageStep(PrepareContext& context, const ConvGeometry& conv, const ImageConv& image) {
  const kernels::ConvShape& shape = image.shape;
  const auto& row = *image.row;
  if (shape.pixels() * shape.out_c == 0) return {};
  ConvState state{.args = {.shape = shape, .activation = {}},
                  .kernel = row.functions,
                  .x = Operand::Input(0),
                  .residual = Operand::InputIfThere(context, 3),
                  .packed_temp = -1,
                  .y_temp = -1};
  PARE_ASSIGN(state.args.activation, ReadActivation(context.attrs()));
  if (context.constant(1) && (!context.has_input(2) || context.constant(2))) {
    PARE_ASSIGN(state.args.packed, PackNow(context, image));
  } else {
    state.packed_temp = AddPackStep(context, image);
  }
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
