#include "kernels/qeltwise/qeltwise.h"

#include <iterator>

#include "kernels/qeltwise/tasks.h"
#include "kernels/requantize.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

uint8_t Quantized(const QEltwiseArgs& args, float x) {
  return QuantizeOne(x, args.y_zero_point, args.lo, args.hi);
}
float Centered(uint8_t x, int32_t zero_point) { return static_cast<float>(x - zero_point); }

// y[i] = f(a[i], b[i]) over the elements of some tasks.
template <typename In, typename Out, typename F>
void Each(const QEltwiseArgs& args, int64_t task_begin, int64_t task_end, const F& f) {
  const QEltwiseCut cut(args.rows, args.cols);
  for (int64_t task = task_begin; task < task_end; ++task) {
    const Range rows = cut.RowsOf(task), cols = cut.ColsOf(task);
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const In* a = static_cast<const In*>(args.a) + row * args.a_stride;
      const uint8_t* b = args.b ? args.b + row * args.b_stride : nullptr;
      Out* y = static_cast<Out*>(args.y) + row * args.y_stride;
      for (int64_t i = cols.begin; i < cols.end; ++i) y[i] = f(a[i], b ? b[i * args.b_step] : 0);
    }
  }
}

void Quantize(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  Each<float, uint8_t>(args, begin, end, [&](float a, uint8_t) {
    return static_cast<uint8_t>(Quantized(args, a / args.a_scale) ^ args.flip);
  });
}

void Dequantize(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  Each<uint8_t, float>(args, begin, end, [&](uint8_t a, uint8_t) {
    return Centered(a ^ args.flip, args.a_zero_point) * args.a_scale;
  });
}

void Requantize(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  Each<uint8_t, uint8_t>(args, begin, end, [&](uint8_t a, uint8_t) {
    return Quantized(args, Centered(a, args.a_zero_point) * args.a_scale);
  });
}

void Add(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  Each<uint8_t, uint8_t>(args, begin, end, [&](uint8_t a, uint8_t b) {
    return Quantized(args, Centered(a, args.a_zero_point) * args.a_scale +
                               Centered(b, args.b_zero_point) * args.b_scale);
  });
}

void Mul(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  Each<uint8_t, uint8_t>(args, begin, end, [&](uint8_t a, uint8_t b) {
    const int32_t product = (a - args.a_zero_point) * (b - args.b_zero_point);
    return Quantized(args, static_cast<float>(product) * args.a_scale);
  });
}

void Lookup(const QEltwiseArgs& args, int64_t begin, int64_t end) noexcept {
  Each<uint8_t, uint8_t>(args, begin, end, [&](uint8_t a, uint8_t) { return args.table[a]; });
}

}  // namespace

extern constexpr QEltwiseKernel qeltwise_scalar{.quantize = Quantize,
                                                .dequantize = Dequantize,
                                                .requantize = Requantize,
                                                .add = Add,
                                                .mul = Mul,
                                                .lookup = Lookup};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(QEltwiseKernel, isa, symbol)
#include "kernels/qeltwise/qeltwise.inc"
#undef PARE_KERNEL

int64_t QEltwiseTasks(int64_t rows, int64_t cols) { return QEltwiseCut(rows, cols).tasks(); }

Rows<QEltwiseKernel> QEltwiseRows() {
  static constexpr Row<QEltwiseKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/qeltwise/qeltwise.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<QEltwiseKernel>* FindQEltwise(const Cpu& cpu) {
  for (const Row<QEltwiseKernel>& row : QEltwiseRows()) {
    if (cpu.has(row.isa)) return &row;
  }
  return nullptr;
}

}  // namespace pare::kernels
