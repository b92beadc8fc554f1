#include "kernels/layernormgrad/layernormgrad.h"

#include "kernels/testing.h"

namespace pare::kernels {
namespace {

const Row<LayerNormGradKernel>& Reference() { return *(LayerNormGradRows().end() - 1); }

struct Operands {
  explicit Operands(const LayerNormGradShape& s)
      : x(s.rows * s.n, 1), dy(s.rows * s.n, 2), scale(s.n, 3), mean(s.rows), inverse_std(s.rows) {
    Random random(static_cast<uint32_t>(s.rows * s.n));
    for (Buffer<float>* buffer : {&x, &dy, &scale, &mean}) random.fill(*buffer);
    random.fill(inverse_std, 0.5f, 2);
  }
  Buffer<float> x, dy, scale, mean, inverse_std;
};

struct Gradients {
  Gradients(const Row<LayerNormGradKernel>& row, const LayerNormGradShape& s, const Operands& in)
      : dx(s.rows * s.n, 1), dscale(s.n, 2), dbias(s.n) {
    Buffer<float> partial(2 * row->parts(s) * s.n);
    const LayerNormGradArgs args{.shape = s,
                                 .x = in.x.data(),
                                 .dy = in.dy.data(),
                                 .scale = in.scale.data(),
                                 .mean = in.mean.data(),
                                 .inverse_std = in.inverse_std.data(),
                                 .partial = partial.data(),
                                 .dx = dx.data(),
                                 .dscale = dscale.data(),
                                 .dbias = dbias.data()};
    for (int64_t task = row->parts(s); task-- > 0;) row->rows(args, task, task + 1);
    for (int64_t task = row->total_tasks(s); task-- > 0;) row->totals(args, task, task + 1);
    for (const Buffer<float>* buffer : {&dx, &dscale, &dbias, &partial})
      EXPECT_TRUE(buffer->guards_hold());
  }
  Buffer<float> dx, dscale, dbias;
};

TEST(LayerNormGrad, RowsOfAnyLength) {
  for (int64_t n : {1, 7, 8, 15, 16, 17, 33, 384, 1003}) {
    for (int64_t rows : {1, 5, 70}) {
      const LayerNormGradShape s{rows, n};
      SCOPED_TRACE(testing::Message() << rows << " rows of " << n);
      const Operands in(s);
      const Gradients expected(Reference(), s, in);
      ForEachRow(LayerNormGradRows(), [&](const Row<LayerNormGradKernel>& row) {
        const Gradients actual(row, s, in);
        ExpectNear(actual.dx.span(), expected.dx.span(), 1e-5);
        ExpectNear(actual.dscale.span(), expected.dscale.span(), 3e-5);
        ExpectNear(actual.dbias.span(), expected.dbias.span(), 3e-5);
      });
    }
  }
}

}  // namespace
}  // namespace pare::kernels
