// Functions of two numbers over rows: y[r, c] = act(f(a[r·a_row + c·a_step], b[r·b_row +
// c·b_step])). Broadcasting over more dimensions is the caller's loop.
#pragma once

#include "kernels/kernel.h"

namespace pare {
enum class DType : uint8_t;
}

namespace pare::kernels {

enum class BinaryFunction : uint8_t {
#define PARE_BINARY(name, ...) k##name,
#define PARE_BINARY_SLOW(name, ...) k##name,
#include "kernels/binary/functions.inc"
#undef PARE_BINARY
#undef PARE_BINARY_SLOW
  kCount
};

// y is dense [rows, columns], and may be an operand that is read in the same order. Rows of an
// operand are *_row elements apart (0: the same again); *_step is 1, or 0 for one element a row.
struct BinaryArgs {
  const void* a = nullptr;
  const void* b = nullptr;
  void* y = nullptr;
  int64_t rows = 0, columns = 0;
  int64_t a_row = 0, b_row = 0;
  int a_step = 1, b_step = 1;
  Activation activation = {};  // f32 only
};
using BinaryRun = void (*)(const BinaryArgs&) noexcept;

// f32. The rows agree to the bit.
struct BinaryKernel {
  bool (*supports)(const BinaryFunction&);
  double (*cost)(const BinaryFunction&);
  BinaryRun (*find)(BinaryFunction);
};
Rows<BinaryKernel> BinaryRows();

struct BinaryChoice {
  BinaryRun run;
  const char* name;
};
// For a and b of `dtype`; y has it, too, or is bool (ReturnsBool). run is null where the function
// has no meaning for the type. Integers wrap around; a quotient or remainder by 0 is 0.
BinaryChoice FindBinary(const Cpu& cpu, BinaryFunction function, DType dtype);
bool ReturnsBool(BinaryFunction function);

}  // namespace pare::kernels
