// Functions of one number over dense arrays: y[i] = f(x[i]).
#pragma once

#include "kernels/kernel.h"

namespace pare {
enum class DType : uint8_t;
}

namespace pare::kernels {

enum class UnaryFunction : uint8_t {
#define PARE_UNARY(name, ...) k##name,
#define PARE_UNARY_SLOW(name, ...) k##name,
#include "kernels/unary/functions.inc"
#undef PARE_UNARY
#undef PARE_UNARY_SLOW
  kCount
};

struct UnaryArgs {
  const void* x = nullptr;
  void* y = nullptr;  // may be x
  int64_t count = 0;
  float a = 0, b = 0;  // the parameters in functions.inc
};
using UnaryRun = void (*)(const UnaryArgs&) noexcept;

// f32. The rows agree to the bit: where a CPU lacks an ISA, tables and plans made elsewhere hold.
struct UnaryKernel {
  bool (*supports)(const UnaryFunction&);
  double (*cost)(const UnaryFunction&);
  UnaryRun (*find)(UnaryFunction);
};
Rows<UnaryKernel> UnaryRows();

struct UnaryChoice {
  UnaryRun run;
  const char* name;
};
// For x and y of `dtype`; run is null where the function has no meaning for that type. f64 computes
// the meaning, 16-bit floats are computed in f32; integers (Abs, Neg, Relu, Sign) wrap around.
UnaryChoice FindUnary(const Cpu& cpu, UnaryFunction function, DType dtype);

// The meaning in functions.inc.
double UnaryMeaning(UnaryFunction function, double x, double a, double b) noexcept;

// y = min(max(x, lo), hi), the limits in x's type or null. No types but numbers.
struct ClipArgs {
  const void* x = nullptr;
  const void* lo = nullptr;
  const void* hi = nullptr;
  void* y = nullptr;  // may be x
  int64_t count = 0;
};
using ClipRun = void (*)(const ClipArgs&) noexcept;
ClipRun FindClip(DType dtype);  // not f32, which is UnaryFunction::kClip

}  // namespace pare::kernels
