#include "compress/quantize/tune.h"

#include <gtest/gtest.h>

namespace pare::compress {
namespace {

constexpr int64_t kRows = 200;

// Answers `size` off the reference's two scores, the first `wrong` of them at the other class.
PairScore FormOf(int64_t wrong, float size) {
  std::vector<float> reference, form;
  for (int64_t i = 0; i < kRows; ++i) {
    reference.insert(reference.end(), {1, 0.99f});
    if (i < wrong) {
      form.insert(form.end(), {0.99f, 1});
    } else {
      form.insert(form.end(), {1 + size, 0.99f - size});
    }
  }
  const Tensor a = Tensor::Of<float>({kRows, 2}, reference),
               b = Tensor::Of<float>({kRows, 2}, form);
  PairScore score;
  EXPECT_TRUE(score.Add({&a, 1}, {&b, 1}, kRows));
  return score;
}

TEST(CompareForms, TheErrorDecidesWhileAgreementFallsByNoMoreThanChance) {
  const PairScore before = FormOf(0, 0.5f);
  EXPECT_EQ(CompareForms(before, FormOf(0, 0.1f), true), Nearness::kNearer);
  EXPECT_EQ(CompareForms(before, FormOf(2, 0.1f), true), Nearness::kNearer);
  EXPECT_EQ(CompareForms(before, FormOf(20, 0.1f), true), Nearness::kAgreesLess);
  EXPECT_EQ(CompareForms(before, FormOf(20, 0.1f), false), Nearness::kNearer) << "no classes";
  EXPECT_EQ(CompareForms(FormOf(20, 0.5f), FormOf(0, 0.1f), true), Nearness::kNearer);
  EXPECT_EQ(CompareForms(before, before, true), Nearness::kNotNearer);
}

}  // namespace
}  // namespace pare::compress
