#include "kernels/crossentropy/crossentropy.h"

#include "kernels/testing.h"

namespace pare::kernels {
namespace {

const int64_t kLengths[] = {1, 2, 7, 8, 10, 15, 16, 17, 33, 1000};

const Row<CrossEntropyKernel>& Reference() { return *(CrossEntropyRows().end() - 1); }

struct Operands {
  Operands(const CrossEntropyShape& s, float reach)
      : logits(s.rows * s.n, 1), target(s.rows * s.n, 2), dloss(s.rows, 1) {
    Random random(static_cast<uint32_t>(s.rows * s.n));
    random.fill(logits, -reach, reach);
    random.fill(target, 0, 2 / static_cast<float>(s.n));
    random.fill(dloss);
  }
  Buffer<float> logits, target, dloss;
};

struct Results {
  Results(const Row<CrossEntropyKernel>& row, const CrossEntropyShape& s, const Operands& in)
      : loss(s.rows, 1), log_sum(s.rows), dlogits(s.rows * s.n, 3), dx(s.rows * s.n, 2) {
    const CrossEntropyArgs forward{.shape = s,
                                   .logits = in.logits.data(),
                                   .target = in.target.data(),
                                   .loss = loss.data(),
                                   .log_sum = log_sum.data()};
    const CrossEntropyGradArgs backward{.shape = s,
                                        .logits = in.logits.data(),
                                        .target = in.target.data(),
                                        .log_sum = log_sum.data(),
                                        .dloss = in.dloss.data(),
                                        .dlogits = dlogits.data()};
    const SoftmaxGradArgs softmax{
        .shape = s, .y = in.target.data(), .dy = in.logits.data(), .dx = dx.data()};
    for (int64_t task = row->tasks(s); task-- > 0;) {
      row->loss(forward, task, task + 1);
      row->grad(backward, task, task + 1);
      row->softmax_grad(softmax, task, task + 1);
    }
    for (const Buffer<float>* buffer : {&loss, &log_sum, &dlogits, &dx})
      EXPECT_TRUE(buffer->guards_hold());
  }
  Buffer<float> loss, log_sum, dlogits, dx;
};

TEST(CrossEntropy, RowsOfAnyLengthAndReach) {
  for (int64_t n : kLengths) {
    for (float reach : {4.0f, 200.0f}) {
      const CrossEntropyShape s{n > 100 ? 20 : 3, n};
      SCOPED_TRACE(testing::Message() << n << " within " << reach);
      const Operands in(s, reach);
      const Results expected(Reference(), s, in);
      // The logarithm of a sum near `reach` is stored: its rounding counts in what is its power.
      const double tolerance = 2e-6 * double{reach};
      ForEachRow(CrossEntropyRows(), [&](const Row<CrossEntropyKernel>& row) {
        const Results actual(row, s, in);
        ExpectNear(actual.loss.span(), expected.loss.span(), tolerance);
        ExpectNear(actual.log_sum.span(), expected.log_sum.span(), tolerance);
        ExpectNear(actual.dlogits.span(), expected.dlogits.span(), tolerance);
        ExpectNear(actual.dx.span(), expected.dx.span(), 2 * tolerance);
      });
    }
  }
}

}  // namespace
}  // namespace pare::kernels
