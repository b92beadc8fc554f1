#include "kernels/batchnorm/batchnorm.h"

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

const Row<BatchNormKernel>& Reference() { return *(BatchNormRows().end() - 1); }

// The tasks one by one, the last first.
template <typename RunTasks, typename Args>
void InAnyOrder(int64_t tasks, RunTasks run, const Args& args) {
  for (int64_t task = tasks - 1; task >= 0; --task) run(args, task, task + 1);
}

struct Form {
  float lo, hi;
  bool clamped, residual;
};
const float kInfinity = __builtin_inff();
const Form kForms[] = {{-kInfinity, kInfinity, false, false},
                       {-kInfinity, kInfinity, false, true},
                       {0, kInfinity, true, false},
                       {0, 6, true, true},
                       {-0.5f, 0.75f, true, false}};

struct Operands {
  Operands(const BatchNormShape& s, float mean)
      : x(s.count() * s.channels, 1),
        residual(x.size(), 3),
        dy(x.size(), 2),
        scale(s.channels, 1),
        bias(s.channels),
        running_mean(s.channels, 2),
        running_variance(s.channels) {
    Random random(static_cast<uint32_t>(x.size()));
    random.fill(x, mean - 2, mean + 2);
    for (Buffer<float>* buffer : {&residual, &dy, &scale, &bias, &running_mean})
      random.fill(*buffer);
    random.fill(running_variance, 0.5f, 2);
  }
  Buffer<float> x, residual, dy, scale, bias, running_mean, running_variance;
};

struct Forward {
  Forward(const Row<BatchNormKernel>& row, const BatchNormShape& s, const Form& form, Operands& in)
      : y(in.x.size(), 1),
        mean(s.channels),
        inverse_std(s.channels),
        new_mean(s.channels, 1),
        new_variance(s.channels) {
    Buffer<float> partial(2 * row->parts(s) * s.channels);
    const BatchNormArgs args{.shape = s,
                             .epsilon = 1e-3f,
                             .momentum = 0.75f,
                             .lo = form.lo,
                             .hi = form.hi,
                             .x = in.x.data(),
                             .residual = form.residual ? in.residual.data() : nullptr,
                             .scale = in.scale.data(),
                             .bias = in.bias.data(),
                             .running_mean = in.running_mean.data(),
                             .running_variance = in.running_variance.data(),
                             .partial = partial.data(),
                             .mean = mean.data(),
                             .inverse_std = inverse_std.data(),
                             .new_running_mean = new_mean.data(),
                             .new_running_variance = new_variance.data(),
                             .y = y.data()};
    InAnyOrder(row->sweep_tasks(s), row->moments, args);
    InAnyOrder(row->channel_tasks(s), row->statistics, args);
    InAnyOrder(row->sweep_tasks(s), row->normalize, args);
    for (const Buffer<float>* buffer :
         {&y, &mean, &inverse_std, &new_mean, &new_variance, &partial})
      EXPECT_TRUE(buffer->guards_hold());
  }
  Buffer<float> y, mean, inverse_std, new_mean, new_variance;
};

struct Backward {
  Backward(const Row<BatchNormKernel>& row, const BatchNormShape& s, const Form& form, Operands& in,
           const Forward& forward)
      : dx(in.x.size(), 1), dz(in.x.size(), 2), dscale(s.channels, 3), dbias(s.channels) {
    Buffer<float> partial(2 * row->parts(s) * s.channels);
    const bool by_input = form.clamped && !form.residual;
    const BatchNormGradArgs args{.shape = s,
                                 .lo = form.lo,
                                 .hi = form.hi,
                                 .x = in.x.data(),
                                 .dy = in.dy.data(),
                                 .y = form.clamped && form.residual ? forward.y.data() : nullptr,
                                 .scale = in.scale.data(),
                                 .bias = by_input ? in.bias.data() : nullptr,
                                 .mean = forward.mean.data(),
                                 .inverse_std = forward.inverse_std.data(),
                                 .partial = partial.data(),
                                 .dz = form.residual ? dz.data() : nullptr,
                                 .dscale = dscale.data(),
                                 .dbias = dbias.data(),
                                 .dx = dx.data()};
    InAnyOrder(row->sweep_tasks(s), row->grad_sums, args);
    InAnyOrder(row->channel_tasks(s), row->grad_totals, args);
    InAnyOrder(row->sweep_tasks(s), row->grad_input, args);
    for (const Buffer<float>* buffer : {&dx, &dz, &dscale, &dbias, &partial})
      EXPECT_TRUE(buffer->guards_hold());
  }
  Buffer<float> dx, dz, dscale, dbias;
};

void Compare(const BatchNormShape& s, const Form& form, float mean) {
  SCOPED_TRACE(testing::Message() << s.images << "x" << s.pixels << "x" << s.channels << " in ["
                                  << form.lo << ", " << form.hi << "] around " << mean);
  Operands in(s, mean);
  const Forward expected(Reference(), s, form, in);
  const Backward slopes(Reference(), s, form, in, expected);
  const double tolerance = 1e-5 * (1 + double{mean});
  const double sum = 1e-6 * static_cast<double>(s.count()) + tolerance;
  ForEachRow(BatchNormRows(), [&](const Row<BatchNormKernel>& row) {
    if (!row->supports(s)) return;
    const Forward forward(row, s, form, in);
    ExpectNear(forward.y.span(), expected.y.span(), tolerance);
    ExpectNear(forward.mean.span(), expected.mean.span(), tolerance);
    ExpectNear(forward.inverse_std.span(), expected.inverse_std.span(), tolerance);
    ExpectNear(forward.new_mean.span(), expected.new_mean.span(), tolerance);
    ExpectNear(forward.new_variance.span(), expected.new_variance.span(), tolerance);
    // From the same results: another order of sums lets another element pass at the clamp's edge.
    const Backward backward(row, s, form, in, expected);
    ExpectNear(backward.dbias.span(), slopes.dbias.span(), sum);
    ExpectNear(backward.dscale.span(), slopes.dscale.span(), sum);
    ExpectNear(backward.dx.span(), slopes.dx.span(), 2 * tolerance);
    if (form.residual) ExpectNear(backward.dz.span(), slopes.dz.span(), 0);
  });
}

TEST(BatchNorm, ChannelsAroundTheVectorAndRowsAroundTheGroup) {
  for (int64_t channels : {1, 3, 8, 15, 16, 17, 40, 100}) {
    for (int64_t pixels : {2, 7, 8, 9, 70}) {
      for (const Form& form : kForms)
        Compare({.images = 2, .pixels = pixels, .channels = channels}, form, 0.5f);
    }
  }
}

TEST(BatchNorm, ManyParts) {
  for (const Form& form : kForms) {
    Compare({.images = 3, .pixels = 1001, .channels = 24}, form, 0.25f);
    Compare({.images = 3, .pixels = 67, .channels = 300}, form, 0.25f);
  }
}

TEST(BatchNorm, MatricesInEitherLayout) {
  Compare({.images = 33, .pixels = 1, .channels = 21, .channels_last = false}, kForms[2], 0);
  Compare({.images = 33, .pixels = 5, .channels = 21, .channels_last = false}, kForms[3], 0);
}

TEST(BatchNorm, ALargeMeanKeepsTheDigits) {
  Compare({.images = 4, .pixels = 500, .channels = 20}, kForms[0], 100);
}

}  // namespace
}  // namespace pare::kernels
