// Conv of one or two dimensions through the conv and dwconv families, which take images of pixels.
// The plain form is turned into one, and its result back, in steps of their own.
#include "kernels/conv/conv.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/plain/transpose2d.h"
#include "ops/activation_attr.h"
#include "ops/conv.h"
#include "ops/matmul.h"

namespace pare::ops {
namespace {

kernels::ConvShape ShapeOf(const ConvGeometry& conv) {
  const Image &x = conv.x, &y = conv.y;
  const Window& window = conv.window;
  return {.batch = x.batch,
          .in_h = x.size[1],
          .in_w = x.size[2],
          .in_c = x.channels,
          .out_h = y.size[1],
          .out_w = y.size[2],
          .out_c = y.channels,
          .kernel_h = window.kernel[1],
          .kernel_w = window.kernel[2],
          .stride_h = window.stride[1],
          .stride_w = window.stride[2],
          .dilation_h = window.dilation[1],
          .dilation_w = window.dilation[2],
          .pad_top = window.pad_begin[1],
          .pad_left = window.pad_begin[2],
          .groups = conv.groups,
          .in_stride = x.channels,
          .out_stride = y.channels,
          .residual_stride = y.channels};
}

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

// [out_c, in_c/group, taps] → [out_c, taps, in_c/group].
std::vector<float> TapsFirst(const float* w, int64_t out, int64_t in, int64_t taps) {
  std::vector<float> turned(static_cast<size_t>(out * in * taps));
  const kernels::Transpose2dShape shape{out, in, taps};
  kernels::Transpose2d(shape, w, turned.data(), 0, shape.tasks());
  return turned;
}

Result<const std::byte*> PackWeights(PrepareContext& context, const ConvGeometry& conv,
                                     const kernels::ConvShape& shape,
                                     const kernels::Row<kernels::ConvKernel>& row) {
  const Tensor* bias = context.constant(2);
  const bool last = conv.layout.channels_last;
  const auto fill = [&](std::byte* to) {
    const float* weights = context.constant(1)->as<float>().data();
    const float* added = bias ? bias->as<float>().data() : nullptr;
    if (last || shape.group_in() == 1) return row->pack(shape, weights, added, to);
    row->pack(
        shape,
        TapsFirst(weights, shape.out_c, shape.group_in(), shape.kernel_h * shape.kernel_w).data(),
        added, to);
  };
  // Packed bytes depend on the weights' shape and the groups only.
  const std::string format =
      Text(row.name, last ? " last " : " first ", shape.groups, DimsText(conv.weights));
  const size_t bytes = static_cast<size_t>(row->packed_bytes(shape));
  return bias ? context.Pack({1, 2}, format, bytes, fill) : context.Pack({1}, format, bytes, fill);
}

}  // namespace

bool CanConvolveImage(const PrepareContext& context, const ConvGeometry& conv) {
  return conv.spatial <= 2 && context.constant(1) && (!context.has_input(2) || context.constant(2));
}

Status PrepareImageConv(PrepareContext& context, const ConvGeometry& conv) {
  const kernels::ConvShape shape = ShapeOf(conv);
  if (shape.pixels() * shape.out_c == 0) return {};
  const auto* row = conv.depthwise() ? kernels::FindDwConv(context.cpu(), shape)
                                     : kernels::FindConv(context.cpu(), shape);
  ConvState state{.args = {.shape = shape, .activation = {}},
                  .kernel = row->functions,
                  .x = Operand::Input(0),
                  .residual = Operand::InputIfThere(context, 3),
                  .y_temp = -1};
  PARE_ASSIGN(state.args.activation, ReadActivation(context.attrs()));
  PARE_ASSIGN(state.args.packed, PackWeights(context, conv, shape, *row));
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
                   .tasks = row->functions->tasks(shape),
                   .scratch_bytes = static_cast<size_t>(row->functions->scratch_bytes(shape)),
                   .kernel = row->name});
  if (!last) {
    AddTurn(context,
            {{conv.y.batch, conv.y.pixels(), conv.y.channels}, Operand::Temp(state.y_temp), -1});
  }
  return {};
}

}  // namespace pare::ops
