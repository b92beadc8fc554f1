// Matrix products of the types that the tuned families don't take: one plain loop.
#pragma once

#include <cstdint>

namespace pare::kernels {

// c[m, n] = Σ_k (a[m, k] − a_zero[m·a_zero_step]) · (b[k, n] − b_zero[n·b_zero_step]), dense rows,
// for rows [row_begin, row_end). A null zero point is 0.
template <typename A, typename B, typename Sum>
struct PlainMatMul {
  int64_t n = 0, k = 0;
  const A* a = nullptr;
  const B* b = nullptr;
  const A* a_zero = nullptr;
  const B* b_zero = nullptr;
  int64_t a_zero_step = 0, b_zero_step = 0;
  Sum* c = nullptr;

  void run(int64_t row_begin, int64_t row_end) const noexcept {
    for (int64_t i = row_begin; i < row_end; ++i) {
      const Sum a_offset = a_zero ? static_cast<Sum>(a_zero[i * a_zero_step]) : Sum(0);
      for (int64_t j = 0; j < n; ++j) {
        const Sum b_offset = b_zero ? static_cast<Sum>(b_zero[j * b_zero_step]) : Sum(0);
        Sum sum = 0;
        for (int64_t l = 0; l < k; ++l) {
          sum += (static_cast<Sum>(a[i * k + l]) - a_offset) *
                 (static_cast<Sum>(b[l * n + j]) - b_offset);
        }
        c[i * n + j] = sum;
      }
    }
  }
};

}  // namespace pare::kernels
