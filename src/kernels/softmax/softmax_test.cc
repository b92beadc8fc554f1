#include "kernels/softmax/softmax.h"

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

void RunRow(const Row<SoftmaxKernel>& row, const SoftmaxShape& s, const float* x, float* y) {
  for (int64_t task = row->tasks(s) - 1; task >= 0; --task) {
    row->run({.shape = s, .x = x, .y = y}, task, task + 1);
  }
}

void Check(const SoftmaxShape& s, int64_t offset, float range) {
  const int64_t count = s.outer * s.n * s.inner;
  Buffer<float> x(count, offset), expected(count);
  Random random(static_cast<uint32_t>(count));
  random.fill(x, -range, range);
  RunRow(*(SoftmaxRows().end() - 1), s, x.data(), expected.data());
  ForEachRow(SoftmaxRows(), [&](const Row<SoftmaxKernel>& row) {
    Buffer<float> actual(count, offset);
    std::copy(x.span().begin(), x.span().end(), actual.data());
    RunRow(row, s, actual.data(), actual.data());  // in place
    EXPECT_TRUE(actual.guards_hold());
    ExpectNear(actual.span(), expected.span(), s.log ? 1e-5 * range : 1e-6);
  });
}

TEST(Softmax, SizesAroundTheVector) {
  for (bool log : {false, true}) {
    for (int64_t n : {1, 2, 7, 8, 9, 16, 17, 33, 1001}) {
      Check({3, n, 1, log}, n % 3, 10.0f);
      for (int64_t inner : {2, 8, 15, 16, 17, 40}) Check({2, n, inner, log}, 1, 10.0f);
    }
    for (int64_t n : {1, 2, 10, 16, 17}) Check({5003, n, 1, log}, 1, 10.0f);
    Check({700, 128, 1, log}, 0, 80.0f);
  }
}

TEST(Softmax, ReferenceIsTheFormula) {
  const float x[] = {0, 0, std::log(2.0f)};
  float y[3];
  RunRow(*(SoftmaxRows().end() - 1), {1, 3, 1, false}, x, y);
  ExpectNear(y, std::vector<float>{0.25f, 0.25f, 0.5f}, 1e-7);
}

TEST(Softmax, MaskedPositionsGetNothing) {
  const float inf = std::numeric_limits<float>::infinity();
  const float x[] = {1, -inf, 1, -inf, -1e30f, 1, 1, -inf, -inf};
  ForEachRow(SoftmaxRows(), [&](const Row<SoftmaxKernel>& row) {
    float y[9];
    RunRow(row, {1, 9, 1, false}, x, y);
    ExpectNear(y, std::vector<float>{0.25f, 0, 0.25f, 0, 0, 0.25f, 0.25f, 0, 0}, 1e-6);
  });
}

}  // namespace
}  // namespace pare::kernels
