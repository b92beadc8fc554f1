// What all kernel families share. Free of the standard library's templates: the translation units
// of an ISA include it, and templates compiled with that ISA's flags would leak into the whole
// program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pare {
enum class Isa : uint8_t;
struct Cpu;
}  // namespace pare

namespace pare::kernels {

// One line of a family's table. `Functions` is the family's struct of function pointers; it has at
// least
//   bool (*supports)(const Shape&);
//   double (*cost)(const Shape&);  // estimated cycles of one thread; null where rows don't compete
template <typename Functions>
struct Row {
  Isa isa;
  const char* name;
  const Functions* functions;

  const Functions* operator->() const { return functions; }
};

// A family's table, best first. Lives as long as the program.
template <typename Functions>
struct Rows {
  const Row<Functions>* first;
  const Row<Functions>* last;
  const Row<Functions>* begin() const { return first; }
  const Row<Functions>* end() const { return last; }
};

// What happens to a finished sum before it is stored: y = act(acc + bias [+ residual]).
struct Activation {
  enum class Kind : uint8_t {
    kNone,
    kClamp,        // min(max(y, lo), hi): Relu, Relu6, Clip
    kSigmoid,      // 1 / (1 + e^-y)
    kTanh,         //
    kHardSwish,    // y · min(max(y / 6 + 1/2, 0), 1)
    kHardSigmoid,  // min(max(alpha · y + beta, 0), 1)
    kSilu,         // y / (1 + e^-y)
    kGelu,         // y · (1 + erf(y / √2)) / 2
    kGeluTanh,     // y · (1 + tanh(√(2/π) · (y + 0.044715 y³))) / 2
    kLeakyRelu,    // y < 0 ? alpha · y : y
  };
  Kind kind = Kind::kNone;
  float lo = -__builtin_inff(), hi = __builtin_inff();  // kClamp
  float alpha = 0, beta = 0;                            // kHardSigmoid, kLeakyRelu

  // The part that kernels apply in registers; the other kinds are a pass over the tile just stored.
  float clamp_lo() const { return kind == Kind::kClamp ? lo : -__builtin_inff(); }
  float clamp_hi() const { return kind == Kind::kClamp ? hi : __builtin_inff(); }
  bool is_clamp() const { return kind == Kind::kNone || kind == Kind::kClamp; }
};

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp(int64_t a, int64_t b) { return CeilDiv(a, b) * b; }
constexpr int64_t MinInt(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t MaxInt(int64_t a, int64_t b) { return a > b ? a : b; }

// Part `i` of `parts` of [0, n), cut into pieces that differ by at most one.
struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
};
constexpr Range PartOf(int64_t n, int64_t parts, int64_t i) {
  const int64_t size = n / parts, rest = n % parts;
  const int64_t begin = i * size + MinInt(i, rest);
  return {begin, begin + size + (i < rest ? 1 : 0)};
}

// Packed weights and scratch start at, and are sized in multiples of, this many bytes.
constexpr int64_t kAlignment = 64;

}  // namespace pare::kernels

// A family's .inc file lists its rows, best first: PARE_KERNEL(kAvx512, gemm_f32_avx512).
// PARE_ON(isa, x) is x where this architecture has `isa` and nothing elsewhere.
#define PARE_ON(isa, ...) PARE_ON_##isa(__VA_ARGS__)
#define PARE_ON_kScalar(...) __VA_ARGS__
#if defined(__x86_64__)
#define PARE_ON_kAvx2(...) __VA_ARGS__
#define PARE_ON_kNeon(...)
#else
#define PARE_ON_kAvx2(...)
#endif
#if defined(__aarch64__)
#define PARE_ON_kNeon(...) __VA_ARGS__
#elif !defined(__x86_64__)
#define PARE_ON_kNeon(...)
#endif
#define PARE_ON_kAvxVnni(...) PARE_ON_kAvx2(__VA_ARGS__)
#define PARE_ON_kAvx512(...) PARE_ON_kAvx2(__VA_ARGS__)
#define PARE_ON_kAvx512Vnni(...) PARE_ON_kAvx2(__VA_ARGS__)
#define PARE_ON_kAvx512Bf16(...) PARE_ON_kAvx2(__VA_ARGS__)
#define PARE_ON_kNeonDot(...) PARE_ON_kNeon(__VA_ARGS__)

// Loops over a tile's accumulators must be unrolled, or the compiler keeps the tile in memory.
// Emulated lanes are arrays anyway, and sanitizers check every access: there, unrolling only makes
// the compiler slow.
#if PARE_EMULATE_SIMD || PARE_SANITIZED
#define PARE_UNROLL
#elif defined(__clang__)
#define PARE_UNROLL _Pragma("unroll")
#else
#define PARE_UNROLL _Pragma("GCC unroll 64")
#endif
#if PARE_EMULATE_SIMD || PARE_SANITIZED
#define PARE_INLINE inline
#else
#define PARE_INLINE inline __attribute__((always_inline))
#endif
#define PARE_RESTRICT __restrict__
