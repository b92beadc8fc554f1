// Reductions of some loops of a dense tensor: each output is one number made of all inputs that
// share its kept indices.
#pragma once

#include "kernels/kernel.h"

namespace pare {
enum class DType : uint8_t;
}

namespace pare::kernels {

enum class ReduceFunction : uint8_t {
  kSum,
  kMean,
  kL1,         // Σ |x|
  kL2,         // √ Σ x²
  kSumSquare,  // Σ x²
  kLogSum,     // log Σ x
  kLogSumExp,  // log Σ eˣ
  kMax,
  kMin,
  kProd,
};

inline constexpr int kMaxReduceLoops = 8;

// The loops of x, outermost first; steps in elements. The innermost loop of x, kept or reduced, has
// the step 1. Outputs are dense over the kept loops. `reduced` may be 0: one element each.
struct ReduceBox {
  int kept = 0, reduced = 0;
  int64_t kept_size[kMaxReduceLoops] = {}, kept_step[kMaxReduceLoops] = {};
  int64_t reduced_size[kMaxReduceLoops] = {}, reduced_step[kMaxReduceLoops] = {};

  PARE_INLINE int64_t outputs() const { return Product(kept_size, kept); }
  PARE_INLINE int64_t inputs_each() const { return Product(reduced_size, reduced); }
  PARE_INLINE bool columns() const {
    return kept > 0 && kept_step[kept - 1] == 1;
  }  // x ends in a kept loop

 private:
  static PARE_INLINE int64_t Product(const int64_t* sizes, int count) {
    int64_t product = 1;
    for (int i = 0; i < count; ++i) product *= sizes[i];
    return product;
  }
};

struct ReduceArgs {
  const ReduceBox* box = nullptr;
  const void* x = nullptr;
  void* y = nullptr;
  int64_t begin = 0, end = 0;  // which outputs
};
using ReduceRun = void (*)(const ReduceArgs&) noexcept;

// f32. NaN stays NaN; the sum of nothing is 0, the product 1, the maximum −∞, the mean NaN.
struct ReduceKernel {
  bool (*supports)(const ReduceFunction&);
  double (*cost)(const ReduceFunction&);
  ReduceRun (*find)(ReduceFunction);
};
Rows<ReduceKernel> ReduceRows();

struct ReduceChoice {
  ReduceRun run;
  const char* name;
};
// run is null where the function has no meaning for the type (bool). Integers wrap around.
ReduceChoice FindReduce(const Cpu& cpu, ReduceFunction function, DType dtype);

}  // namespace pare::kernels
