#include "kernels/dwconv/dwconv.h"

#include <iterator>

#include "kernels/table.h"

namespace pare::kernels {

// The reference is that of conv: a depthwise convolution is one with a group a channel.
extern const ConvKernel conv_f32_scalar;
extern const ConvKernel dwconv_f32_scalar;

namespace {

bool Supports(const ConvShape&) { return true; }
int64_t PackedBytes(const ConvShape& s) { return conv_f32_scalar.packed_bytes(s); }
int64_t Panels(const ConvShape& s) { return conv_f32_scalar.panels(s); }
void Pack(const ConvShape& s, const ConvWeights& weights, const float* bias, int64_t panel_begin,
          int64_t panel_end, void* packed) noexcept {
  conv_f32_scalar.pack(s, weights, bias, panel_begin, panel_end, packed);
}
int64_t Tasks(const ConvShape& s) { return conv_f32_scalar.tasks(s); }
int64_t ScratchBytes(const ConvShape& s) { return conv_f32_scalar.scratch_bytes(s); }
void Run(const ConvArgs& args, int64_t task_begin, int64_t task_end, void* scratch) noexcept {
  conv_f32_scalar.run(args, task_begin, task_end, scratch);
}

}  // namespace

constexpr ConvKernel dwconv_f32_scalar{.supports = Supports,
                                       .cost = nullptr,
                                       .packed_bytes = PackedBytes,
                                       .panels = Panels,
                                       .pack = Pack,
                                       .tasks = Tasks,
                                       .scratch_bytes = ScratchBytes,
                                       .run = Run};

#define PARE_KERNEL(isa, symbol) PARE_DECLARE_ROW(ConvKernel, isa, symbol)
#include "kernels/dwconv/dwconv.inc"
#undef PARE_KERNEL

Rows<ConvKernel> DwConvRows() {
  static constexpr Row<ConvKernel> kRows[] = {
#define PARE_KERNEL(isa, symbol) PARE_TABLE_ROW(isa, symbol)
#include "kernels/dwconv/dwconv.inc"
#undef PARE_KERNEL
  };
  return {std::begin(kRows), std::end(kRows)};
}

const Row<ConvKernel>* FindDwConv(const Cpu& cpu, const ConvShape& shape) {
  return FindRow(DwConvRows(), cpu, shape);
}

}  // namespace pare::kernels
