// The reference, of any type: one output after the other, in double or in wrapping integers.
#include "kernels/reduce/reduce.h"

#include <cmath>
#include <iterator>
#include <limits>
#include <type_traits>

#include "kernels/number.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

// Calls f(offset) for every index of the reduced loops.
template <typename F>
void ForReduced(const ReduceBox& box, F f) {
  const int64_t count = box.inputs_each();
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, offset = 0;
    for (int loop = box.reduced - 1; loop >= 0; --loop) {
      offset += rest % box.reduced_size[loop] * box.reduced_step[loop];
      rest /= box.reduced_size[loop];
    }
    f(offset);
  }
}

int64_t KeptOffset(const ReduceBox& box, int64_t output) {
  int64_t offset = 0;
  for (int i = box.kept - 1; i >= 0; --i) {
    offset += output % box.kept_size[i] * box.kept_step[i];
    output /= box.kept_size[i];
  }
  return offset;
}

template <ReduceFunction kFunction>
double OfFloats(const ReduceBox& box, auto at) {
  using F = ReduceFunction;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr bool kOfLargest = kFunction == F::kMax || kFunction == F::kLogSumExp;
  double extreme = kOfLargest ? -kInfinity : kInfinity;
  if constexpr (kOfLargest || kFunction == F::kMin) {
    ForReduced(box, [&](int64_t i) {
      const double x = at(i);
      const bool further = kOfLargest ? x > extreme : x < extreme;
      if (further || std::isnan(x)) extreme = x;
    });
    if (kFunction != F::kLogSumExp || std::isnan(extreme)) return extreme;
  }
  const double shift = std::isfinite(extreme) ? extreme : 0;
  double sum = kFunction == F::kProd ? 1 : 0;
  ForReduced(box, [&](int64_t i) {
    const double x = at(i);
    if constexpr (kFunction == F::kProd) {
      sum *= x;
    } else if constexpr (kFunction == F::kL1) {
      sum += std::fabs(x);
    } else if constexpr (kFunction == F::kL2 || kFunction == F::kSumSquare) {
      sum += x * x;
    } else if constexpr (kFunction == F::kLogSumExp) {
      sum += std::exp(x - shift);
    } else {
      sum += x;
    }
  });
  if constexpr (kFunction == F::kMean) return sum / static_cast<double>(box.inputs_each());
  if constexpr (kFunction == F::kL2) return std::sqrt(sum);
  if constexpr (kFunction == F::kLogSum) return std::log(sum);
  if constexpr (kFunction == F::kLogSumExp) return std::log(sum) + shift;
  return sum;
}

// Integers: sums and products wrap around, means are cut off.
template <ReduceFunction kFunction, typename T>
T OfIntegers(const ReduceBox& box, const T* x) {
  using F = ReduceFunction;
  if constexpr (kFunction == F::kMax || kFunction == F::kMin) {
    constexpr bool kLargest = kFunction == F::kMax;
    T extreme = kLargest ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
    ForReduced(box, [&](int64_t i) {
      if (kLargest ? x[i] > extreme : x[i] < extreme) extreme = x[i];
    });
    return extreme;
  } else if constexpr (kFunction == F::kL2 || kFunction == F::kLogSum ||
                       kFunction == F::kLogSumExp) {
    return static_cast<T>(
        OfFloats<kFunction>(box, [&](int64_t i) { return static_cast<double>(x[i]); }));
  } else {
    uint64_t sum = kFunction == F::kProd ? 1 : 0;
    ForReduced(box, [&](int64_t i) {
      const uint64_t u = static_cast<uint64_t>(x[i]);
      if constexpr (kFunction == F::kProd) {
        sum *= u;
      } else if constexpr (kFunction == F::kL1) {
        sum += x[i] < T{0} ? uint64_t{0} - u : u;
      } else if constexpr (kFunction == F::kSumSquare) {
        sum += u * u;
      } else {
        sum += u;
      }
    });
    if constexpr (kFunction != F::kMean) return static_cast<T>(sum);
    const int64_t count = box.inputs_each();
    return count == 0 ? T{0} : static_cast<T>(static_cast<int64_t>(sum) / count);
  }
}

template <ReduceFunction kFunction, typename T>
void Run(const ReduceArgs& args) noexcept {
  for (int64_t i = args.begin; i < args.end; ++i) {
    const T* x = static_cast<const T*>(args.x) + KeptOffset(*args.box, i);
    T* y = static_cast<T*>(args.y) + i;
    if constexpr (std::is_integral_v<T>) {
      *y = OfIntegers<kFunction>(*args.box, x);
    } else {
      const auto at = [&](int64_t j) { return static_cast<double>(ToNumber(x[j])); };
      *y = FromNumber<T>(static_cast<NumberOf<T>>(OfFloats<kFunction>(*args.box, at)));
    }
  }
}

template <ReduceFunction kFunction>
ReduceRun FindFor(DType dtype) {
  ReduceRun run = nullptr;
  VisitDType(dtype, [&]<typename T>(T) {
    if constexpr (!std::is_same_v<T, bool>) run = Run<kFunction, T>;
  });
  return run;
}

ReduceRun FindAny(ReduceFunction function, DType dtype) {
  switch (function) {
#define PARE_CASE(name)      \
  case ReduceFunction::name: \
    return FindFor<ReduceFunction::name>(dtype);
    PARE_CASE(kSum)
    PARE_CASE(kMean)
    PARE_CASE(kL1)
    PARE_CASE(kL2)
    PARE_CASE(kSumSquare)
    PARE_CASE(kLogSum)
    PARE_CASE(kLogSumExp)
    PARE_CASE(kMax)
    PARE_CASE(kMin)
    PARE_CASE(kProd)
#undef PARE_CASE
  }
  return nullptr;
}

bool Supports(const ReduceFunction&) { return true; }
ReduceRun FindF32(ReduceFunction function) { return FindAny(function, DType::kF32); }

}  // namespace

extern constexpr ReduceKernel reduce_f32_scalar{
    .supports = Supports, .cost = nullptr, .find = FindF32};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(ReduceKernel, isa, symbol)
#include "kernels/reduce/reduce.inc"
#undef PARE_KERNEL

Rows<ReduceKernel> ReduceRows() {
  static constexpr Row<ReduceKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/reduce/reduce.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

ReduceChoice FindReduce(const Cpu& cpu, ReduceFunction function, DType dtype) {
  if (dtype == DType::kF32) {
    const auto* row = FindRow(ReduceRows(), cpu, function);
    return {(*row)->find(function), row->name};
  }
  return {FindAny(function, dtype), "reduce_any"};
}

}  // namespace pare::kernels
