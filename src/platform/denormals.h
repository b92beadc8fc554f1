// Flush-to-zero and denormals-are-zero for the calling thread, restored at the end of the scope.
#pragma once

#include <cstdint>

namespace pare {

class DenormalsAreZero {
 public:
  DenormalsAreZero() : saved_(Get()) { Set(saved_ | kFlush); }
  ~DenormalsAreZero() { Set(saved_); }
  DenormalsAreZero(const DenormalsAreZero&) = delete;
  DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;

 private:
#if defined(__x86_64__)
  static constexpr uint64_t kFlush = 0x8040;  // MXCSR: FTZ, DAZ
  static uint64_t Get() { return __builtin_ia32_stmxcsr(); }
  static void Set(uint64_t state) { __builtin_ia32_ldmxcsr(static_cast<uint32_t>(state)); }
#elif defined(__aarch64__)
  static constexpr uint64_t kFlush = uint64_t{1} << 24;  // FPCR: FZ, for inputs and results
  static uint64_t Get() {
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return state;
  }
  static void Set(uint64_t state) { __asm__ volatile("msr fpcr, %0" : : "r"(state)); }
#else
  static constexpr uint64_t kFlush = 0;
  static uint64_t Get() { return 0; }
  static void Set(uint64_t) {}
#endif

  uint64_t saved_;
};

}  // namespace pare
