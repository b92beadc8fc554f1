#include "kernels/fakequantize/fakequantize.h"

#include <limits>

#include "kernels/testing.h"

namespace pare::kernels {
namespace {

const FakeQuantizeShape kShapes[] = {{1, 1, 1},     {1, 1, 17},  {1, 1, 40001}, {1, 5, 9},
                                     {3, 4, 16},    {1, 8, 147}, {7, 33, 1},    {600, 40, 1},
                                     {2, 3, 20000}, {5, 1, 1}};

const Row<FakeQuantizeKernel>& Reference() { return *(FakeQuantizeRows().end() - 1); }

struct Operands {
  explicit Operands(const FakeQuantizeShape& s)
      : x(s.count(), 1), dy(s.count(), 2), scale(s.scales, 3) {
    Random random(static_cast<uint32_t>(s.count()));
    random.fill(x, -3, 3);
    random.fill(dy);
    random.fill(scale, 0.1f, 0.5f);
    // Ties, bounds and what is beyond all.
    constexpr float kSpecial[] = {
        0.5f, 1.5f, -7.0f, 7.0f, 7.5f, -0.0f, std::numeric_limits<float>::infinity()};
    for (int64_t i = 0; i + 1 < s.count() && i < std::ssize(kSpecial); ++i)
      x[i] = kSpecial[i] * scale[i / s.inner % s.scales];
  }
  Buffer<float> x, dy, scale;
};

void Quantize(const Row<FakeQuantizeKernel>& row, const FakeQuantizeShape& s, const Operands& in,
              Buffer<float>& y) {
  const FakeQuantizeArgs args{
      .shape = s, .lo = -7, .hi = 7, .x = in.x.data(), .scale = in.scale.data(), .y = y.data()};
  for (int64_t task = row->tasks(s); task-- > 0;) row->quantize(args, task, task + 1);
  EXPECT_TRUE(y.guards_hold());
}

struct Gradients {
  Gradients(const Row<FakeQuantizeKernel>& row, const FakeQuantizeShape& s, const Operands& in)
      : dx(s.count(), 1), ds(s.scales, 2) {
    Buffer<float> partial(row->parts(s) * s.scales);
    const FakeQuantizeGradArgs args{.shape = s,
                                    .lo = -7,
                                    .hi = 7,
                                    .gradient_scale = 1 / std::sqrt(7.0f * s.outer * s.inner),
                                    .x = in.x.data(),
                                    .dy = in.dy.data(),
                                    .scale = in.scale.data(),
                                    .partial = partial.data(),
                                    .dx = dx.data(),
                                    .ds = ds.data()};
    for (int64_t task = row->grad_tasks(s); task-- > 0;) row->grad(args, task, task + 1);
    row->totals(args);
    for (const Buffer<float>* buffer : {&dx, &ds, &partial}) EXPECT_TRUE(buffer->guards_hold());
  }
  Buffer<float> dx, ds;
};

std::string Name(const FakeQuantizeShape& s) {
  return std::to_string(s.outer) + "x" + std::to_string(s.scales) + "x" + std::to_string(s.inner);
}

TEST(FakeQuantize, IsTheSameBitsEverywhere) {
  for (const FakeQuantizeShape& s : kShapes) {
    SCOPED_TRACE(Name(s));
    Operands in(s);
    in.x[s.count() - 1] = std::numeric_limits<float>::quiet_NaN();
    Buffer<float> expected(s.count(), 1);
    Quantize(Reference(), s, in, expected);
    ForEachRow(FakeQuantizeRows(), [&](const Row<FakeQuantizeKernel>& row) {
      Buffer<float> actual(s.count(), 3);
      Quantize(row, s, in, actual);
      ExpectNear(actual.span(), expected.span(), 0);
    });
  }
}

TEST(FakeQuantize, Gradients) {
  for (const FakeQuantizeShape& s : kShapes) {
    SCOPED_TRACE(Name(s));
    const Operands in(s);
    const Gradients expected(Reference(), s, in);
    ForEachRow(FakeQuantizeRows(), [&](const Row<FakeQuantizeKernel>& row) {
      const Gradients actual(row, s, in);
      ExpectNear(actual.dx.span(), expected.dx.span(), 0);
      ExpectNear(actual.ds.span(), expected.ds.span(), 2e-5);
    });
  }
}

}  // namespace
}  // namespace pare::kernels
