// pare.QAveragePool and pare.QGlobalAveragePool: u8 in, u8 out (kernels/qpool/qpool.h has the
// formula). Attributes: x_zero_point, y_zero_point, multiplier = x_scale / y_scale, lo = 0, hi =
// 255 and those of AveragePool.
#include "kernels/qpool/qpool.h"

#include "ops/channels.h"
#include "ops/pool.h"

namespace pare::ops {
namespace {

struct QPoolState {
  kernels::QPoolArgs args;
  kernels::QPoolRun run;
};

void RunQPool(const StepArgs& step) noexcept {
  const auto& state = *static_cast<const QPoolState*>(step.state);
  kernels::QPoolArgs args = state.args;
  args.x = step.in<uint8_t>(0);
  args.y = step.out<uint8_t>(0);
  state.run(args, step.begin, step.end);
}

Status Prepare(PrepareContext& context, bool global) {
  if (context.dtype(0) != DType::kU8) return Invalid("x is not u8");
  PARE_ASSIGN(const PoolGeometry pool, ReadPool(context, global));
  return PrepareBytePool(context, pool, BytePool::kAverage);
}

Status PrepareQAveragePool(PrepareContext& context) { return Prepare(context, false); }
Status PrepareQGlobalAveragePool(PrepareContext& context) { return Prepare(context, true); }

}  // namespace

bool LeavesTapsOut(const graph::Attrs& attrs) {
  return attrs.i("count_include_pad", 0) != 0 && attrs.i("ceil_mode", 0) != 0;
}

bool CanPoolBytes(const PoolGeometry& pool) {
  return pool.layout.channels_last && pool.x.size[0] == 1 && pool.window.kernel[0] == 1;
}

Status PrepareBytePool(PrepareContext& context, const PoolGeometry& pool, BytePool kind) {
  if (!CanPoolBytes(pool) || LeavesTapsOut(context.attrs())) {
    return Unsupported(
        "pare's integer pooling is of one or two dimensions, and counts no padding "
        "where ceil_mode adds more");
  }
  const auto shape = PoolImageShape<kernels::QPoolShape>(pool);
  if (shape.tasks() * shape.out_w * shape.channels == 0) return {};
  const graph::Attrs& attrs = context.attrs();
  const auto* row = kernels::FindQPool(context.cpu());
  const QPoolState state{.args = {.shape = shape,
                                  .count_padding = attrs.i("count_include_pad", 0) != 0,
                                  .x_zero_point = static_cast<int32_t>(attrs.i("x_zero_point", 0)),
                                  .y_zero_point = static_cast<int32_t>(attrs.i("y_zero_point", 0)),
                                  .scale = attrs.f("multiplier", 1.0f),
                                  .lo = static_cast<int32_t>(attrs.i("lo", 0)),
                                  .hi = static_cast<int32_t>(attrs.i("hi", 255))},
                         .run = kind == BytePool::kMax ? row->functions->max : row->functions->avg};
  context.AddStep({.run = RunQPool,
                   .state = context.State(state),
                   .tasks = shape.tasks(),
                   .kernel = row->name});
  return {};
}

extern constinit const OpDef kQAveragePool{.name = "pare.QAveragePool",
                                           .inputs = {{{"x"}}},
                                           .outputs = {{{"y"}}},
                                           .infer = InferPool,
                                           .prepare = PrepareQAveragePool,
                                           .grad = kIntegers,
                                           .quant = {.keep_float = "it is an integer operator"},
                                           .channels = kOwnForm,
                                           .cost = CostOfPool};

extern constinit const OpDef kQGlobalAveragePool{
    .name = "pare.QGlobalAveragePool",
    .inputs = {{{"x"}}},
    .outputs = {{{"y"}}},
    .infer = InferGlobalPool,
    .prepare = PrepareQGlobalAveragePool,
    .grad = kIntegers,
    .quant = {.keep_float = "it is an integer operator"},
    .channels = kOwnForm,
    .cost = CostOfGlobalPool};

}  // namespace pare::ops
