// Dropout, as it is outside of training: nothing is dropped.
#include <cstring>

#include "ops/channels.h"
#include "ops/common.h"
#include "ops/grad.h"
#include "ops/move.h"

namespace pare::ops {
namespace {

Status InferDropout(InferContext& context) {
  graph::TensorType type = context.input(0);
  context.set_output(0, type);
  type.dtype = DType::kBool;
  context.set_output(1, std::move(type));
  return {};
}

struct MaskState {
  int64_t count;
};

void RunMask(const StepArgs& args) noexcept {
  std::memset(args.outputs[1], 1,
              static_cast<size_t>(static_cast<const MaskState*>(args.state)->count));
}

Status PrepareDropout(PrepareContext& context) {
  const Tensor* training = context.constant(2);
  if (context.has_input(2) && (!training || training->dtype() != DType::kBool ||
                               training->count() != 1 || training->as<bool>()[0])) {
    return Unsupported("it is in training mode",
                       "export the model in evaluation mode (PyTorch: model.eval())");
  }
  if (!context.has_output(1)) {
    context.Alias(0);
    return {};
  }
  const Dims shape = context.shape(0), steps = DenseSteps(shape);
  if (IsAloneInInputs(context)) context.AllowInPlace(0);
  PARE_TRY(AddMoveStep(context, static_cast<int64_t>(SizeOf(context.dtype(0))),
                       {{MoveNest(shape, steps, steps)}}));
  context.AddStep(
      {.run = RunMask, .state = context.State(MaskState{Count(shape)}), .kernel = "fill"});
  return {};
}

Status GradDropout(GradContext& g) {
  g.gives(0, g.dy());
  return {};
}

}  // namespace

extern constinit const OpDef kDropout{
    .name = "Dropout",
    .inputs = {{{"x"}, {"ratio", Presence::kOptional}, {"training_mode", Presence::kOptional}}},
    .outputs = {{{"y"}, {"mask", Presence::kOptional}}},
    .infer = InferDropout,
    .prepare = PrepareDropout,
    .grad = {.emit = GradDropout},
    .quant = kSameScaleRule,
    .channels = kElementwise,
    .mixed_types = true};

}  // namespace pare::ops
