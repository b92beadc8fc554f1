#include "kernels/qpool/qpool.h"

#include <iterator>

#include "kernels/qpool/window.h"
#include "kernels/requantize.h"
#include "kernels/table.h"

namespace pare::kernels {
namespace {

// y = f(window, channel) for every output of some tasks.
template <typename F>
void Each(const QPoolArgs& args, int64_t task_begin, int64_t task_end, const F& f) {
  const QPoolShape& s = args.shape;
  for (int64_t row = task_begin; row < task_end; ++row) {
    for (int64_t x = 0; x < s.out_w; ++x) {
      const QPoolWindow window(args, row, x);
      uint8_t* y = args.y + (row * s.out_w + x) * s.y_stride();
      for (int64_t c = 0; c < s.channels; ++c) y[c] = f(window, c);
    }
  }
}

// step(value) for every input under the window.
template <typename Step>
void EachInput(const QPoolWindow& window, int64_t channel, const Step& step) {
  for (int64_t y = 0; y < window.rows; ++y) {
    for (int64_t x = 0; x < window.cols; ++x) {
      step(window.first[y * window.row_step + x * window.col_step + channel]);
    }
  }
}

void Max(const QPoolArgs& args, int64_t begin, int64_t end) noexcept {
  Each(args, begin, end, [](const QPoolWindow& window, int64_t channel) {
    uint8_t most = 0;
    EachInput(window, channel, [&](uint8_t x) { most = x > most ? x : most; });
    return most;
  });
}

void Avg(const QPoolArgs& args, int64_t begin, int64_t end) noexcept {
  Each(args, begin, end, [&](const QPoolWindow& window, int64_t channel) {
    int32_t sum = 0;
    EachInput(window, channel, [&](uint8_t x) { sum += x - args.x_zero_point; });
    return QuantizeOne(static_cast<float>(sum) * window.scale, args.y_zero_point, args.lo, args.hi);
  });
}

}  // namespace

extern constexpr QPoolKernel qpool_scalar{.max = Max, .avg = Avg};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(QPoolKernel, isa, symbol)
#include "kernels/qpool/qpool.inc"
#undef PARE_KERNEL

Rows<QPoolKernel> QPoolRows() {
  static constexpr Row<QPoolKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/qpool/qpool.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<QPoolKernel>* FindQPool(const Cpu& cpu) {
  for (const Row<QPoolKernel>& row : QPoolRows()) {
    if (cpu.has(row.isa)) return &row;
  }
  return nullptr;
}

}  // namespace pare::kernels
