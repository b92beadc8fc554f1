// Depthwise quantized convolution, compiled per ISA: include after kernels/simd/<isa>.h.
//
// Channels are cut into blocks; the last block is moved back to end at the last channel, so that a
// block is partial only where there are fewer channels than it holds. For one output row and block,
// the columns of the picture are arranged once (form-inl.h) and kept in scratch, outside of the
// picture as zero points; then every output multiplies kernel_w of them. The 3×3 window of byte dot
// products keeps its columns in registers instead.
#pragma once

#include "kernels/qdwconv/form-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

// Packed: for each block bias[kVectors · kLanes], scale[same], weights
// [kernel_w][groups][kVectors][kLanes][kRows], channels in the form's order; a group is kRows rows
// of the window. Before the blocks, the input's zero point.
template <class Form>
struct DwLayout {
  static constexpr int64_t kVectorsBytes = Form::kVectors * kLanes * 4;

  explicit DwLayout(const QConvShape& s)
      : channels(s.out_c),
        blocks(CeilDiv(s.out_c, Form::kBlock)),
        groups(CeilDiv(s.kernel_h, Form::kRows)),
        block_bytes((2 + s.kernel_w * groups) * kVectorsBytes) {}

  int64_t bytes() const { return kAlignment + RoundUp(blocks * block_bytes, kAlignment); }
  int64_t first(int64_t block) const {
    return MaxInt(0, MinInt(block * Form::kBlock, channels - Form::kBlock));
  }

  int64_t channels, blocks, groups, block_bytes;
};

template <class Form>
void PackBlock(const QConvShape& s, const QConvWeights& from, int64_t first, uint8_t* to) {
  const DwLayout<Form> layout(s);
  auto* bias = reinterpret_cast<int32_t*>(to);
  auto* scale = reinterpret_cast<float*>(to + layout.kVectorsBytes);
  auto* weights = reinterpret_cast<typename Form::Weight*>(to + 2 * layout.kVectorsBytes);
  for (int v = 0; v < Form::kVectors; ++v) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const int64_t channel = first + Form::ChannelOf(v, lane), at = v * kLanes + lane;
      const bool valid = channel < s.out_c;
      const int32_t zero_point = valid && from.w_zero_point ? from.w_zero_point[channel] : 0;
      uint32_t sum = valid && from.bias ? static_cast<uint32_t>(from.bias[channel]) : 0;
      for (int64_t ky = 0; ky < layout.groups * Form::kRows; ++ky) {
        for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
          const int64_t tap = ky * s.kernel_w + kx;
          const bool used = valid && ky < s.kernel_h;
          const int64_t index =
              from.transposed ? tap * s.out_c + channel : channel * s.taps() + tap;
          const int32_t w = used ? from.w[index] - zero_point : 0;
          sum -= static_cast<uint32_t>((from.x_zero_point - Form::kInputOffset) * w);
          const int64_t vector = (kx * layout.groups + ky / Form::kRows) * Form::kVectors + v;
          weights[(vector * kLanes + lane) * Form::kRows + ky % Form::kRows] =
              static_cast<typename Form::Weight>(w);
        }
      }
      bias[at] = static_cast<int32_t>(sum);
      scale[at] = valid && from.scale ? from.scale[channel] : 0.0f;
    }
  }
}

template <class Form>
void PackQDwConv(const QConvShape& s, const QConvWeights& from, void* packed) noexcept {
  const DwLayout<Form> layout(s);
  auto* to = static_cast<uint8_t*>(packed);
  *static_cast<int32_t*>(packed) = from.x_zero_point;
  for (int64_t block = 0; block < layout.blocks; ++block) {
    PackBlock<Form>(s, from, layout.first(block), to + kAlignment + block * layout.block_bytes);
  }
}

// One output row of one block.
template <class Form>
struct DwRow {
  const QConvShape& shape;
  const BlockOut& out;
  const PictureRow* rows;  // groups · kRows
  const uint8_t* block;    // packed
  int64_t channels;        // of the block
  uint8_t* columns;        // scratch
  uint8_t* y;

  const int32_t* bias() const { return reinterpret_cast<const int32_t*>(block); }
  const float* scale() const {
    return reinterpret_cast<const float*>(block + DwLayout<Form>::kVectorsBytes);
  }
  const uint8_t* weights() const { return block + 2 * DwLayout<Form>::kVectorsBytes; }
};

inline int64_t DwColumns(const QConvShape& s) {
  return (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
}

// Columns [columns][groups][kVectors] of the row, from the leftmost that a window touches.
template <class Form, bool kWhole>
void ArrangeColumns(const DwRow<Form>& row, const PictureRow* outside, int64_t groups) {
  const QConvShape& s = row.shape;
  const int64_t count = DwColumns(s);
  uint8_t* to = row.columns;
  for (int64_t column = 0; column < count; ++column) {
    const int64_t x = column - s.pad_left;
    const bool inside = x >= 0 && x < s.in_w;
    for (int64_t g = 0; g < groups; ++g, to += DwLayout<Form>::kVectorsBytes) {
      I32 d[Form::kVectors];
      Form::template Column<kWhole>(inside ? row.rows + g * Form::kRows : outside, inside ? x : 0,
                                    row.channels, d);
      PARE_UNROLL for (int v = 0; v < Form::kVectors; ++v) StoreBytes(to + v * kLanes * 4, d[v]);
    }
  }
}

// kOutputs outputs side by side, from output x on.
template <class Form, bool kWhole, int kOutputs>
PARE_INLINE void MultiplyColumns(const DwRow<Form>& row, int64_t groups, int64_t x) {
  constexpr int64_t kBytes = DwLayout<Form>::kVectorsBytes;
  const QConvShape& s = row.shape;
  I32 acc[kOutputs][Form::kVectors];
  PARE_UNROLL for (int v = 0; v < Form::kVectors; ++v) {
    const I32 bias = Load(row.bias() + v * kLanes);
    PARE_UNROLL for (int o = 0; o < kOutputs; ++o) acc[o][v] = bias;
  }
  const uint8_t* w = row.weights();
  const int64_t step = s.stride_w * groups * kBytes;
  for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
    const uint8_t* d = row.columns + (x * s.stride_w + kx * s.dilation_w) * groups * kBytes;
    for (int64_t g = 0; g < groups; ++g, d += kBytes, w += kBytes) {
      PARE_UNROLL for (int v = 0; v < Form::kVectors; ++v) {
        const I32 weight = LoadBytes(w + v * kLanes * 4);
        PARE_UNROLL for (int o = 0; o < kOutputs; ++o) {
          acc[o][v] = Form::Dot(acc[o][v], LoadBytes(d + o * step + v * kLanes * 4), weight);
        }
      }
    }
  }
  PARE_UNROLL for (int o = 0; o < kOutputs; ++o) {
    Form::template StoreOut<kWhole>(row.y + (x + o) * s.y_stride(), acc[o], row.scale(),
                                    row.channels, row.out);
  }
}

template <class Form, bool kWhole>
void RunDwRow(const DwRow<Form>& row, const PictureRow* outside) {
  constexpr int kOutputs = kLanes == 8 ? 2 : 4;  // registers for 4 sums each, a weight and a column
  const int64_t groups = CeilDiv(row.shape.kernel_h, Form::kRows);
  ArrangeColumns<Form, kWhole>(row, outside, groups);
  int64_t x = 0;
  for (; x + kOutputs <= row.shape.out_w; x += kOutputs) {
    MultiplyColumns<Form, kWhole, kOutputs>(row, groups, x);
  }
  for (; x < row.shape.out_w; ++x) MultiplyColumns<Form, kWhole, 1>(row, groups, x);
}

#if PARE_SIMD_HAS_DOT_U8S8 || PARE_SIMD_HAS_DOT_S8S8
// Three columns of a 3×3 window, sliding; columns and weights stay in registers. Everything is
// copied into members first: behind pointers, the compiler would have to load it again after every
// store of an output.
template <bool kWhole>
class Window3x3 {
 public:
  using Column = I32[4];

  PARE_INLINE Window3x3(const DwRow<QuadForm>& row, const PictureRow* outside)
      : out_(row.out),
        rows_{row.rows[0], row.rows[1], row.rows[2]},
        outside_{outside[0], outside[0], outside[0]},
        bias_(row.bias()),
        scale_(row.scale()),
        y_(row.y),
        y_stride_(row.shape.y_stride()),
        in_w_(row.shape.in_w),
        out_w_(row.shape.out_w),
        left_(-row.shape.pad_left),
        channels_(row.channels) {
    PARE_UNROLL for (int i = 0; i < 12; ++i) w_[i] = LoadBytes(row.weights() + i * kLanes * 4);
  }

  PARE_INLINE void LoadColumn(int64_t x, Column& c) const {
    if (x >= 0 && x < in_w_) {
      QuadForm::Column3<kWhole>(rows_, x, channels_, c);
    } else {
      QuadForm::Column3<kWhole>(outside_, 0, channels_, c);
    }
  }
  PARE_INLINE void Output(int64_t x, const Column& a, const Column& b, const Column& c) const {
    I32 acc[4];
    PARE_UNROLL for (int v = 0; v < 4; ++v) {
      acc[v] = QuadForm::Dot(Load(bias_ + v * kLanes), a[v], w_[v]);
      acc[v] = QuadForm::Dot(acc[v], b[v], w_[4 + v]);
      acc[v] = QuadForm::Dot(acc[v], c[v], w_[8 + v]);
    }
    QuadForm::StoreOut<kWhole>(y_ + x * y_stride_, acc, scale_, channels_, out_);
  }

  PARE_INLINE void RunStride1() const {
    int64_t left = left_;
    Column a = {}, b = {}, c = {};
    LoadColumn(left, a);
    LoadColumn(left + 1, b);
    int64_t x = 0;
    for (; x + 3 <= out_w_; x += 3, left += 3) {
      LoadColumn(left + 2, c);
      Output(x, a, b, c);
      LoadColumn(left + 3, a);
      Output(x + 1, b, c, a);
      LoadColumn(left + 4, b);
      Output(x + 2, c, a, b);
    }
    if (x < out_w_) {
      LoadColumn(left + 2, c);
      Output(x, a, b, c);
    }
    if (x + 1 < out_w_) {
      LoadColumn(left + 3, a);
      Output(x + 1, b, c, a);
    }
  }

  PARE_INLINE void RunStride2() const {
    int64_t left = left_;
    Column a = {}, b = {}, c = {};
    LoadColumn(left, a);
    int64_t x = 0;
    for (; x + 2 <= out_w_; x += 2, left += 4) {
      LoadColumn(left + 1, b);
      LoadColumn(left + 2, c);
      Output(x, a, b, c);
      LoadColumn(left + 3, b);
      LoadColumn(left + 4, a);
      Output(x + 1, c, b, a);
    }
    if (x < out_w_) {
      LoadColumn(left + 1, b);
      LoadColumn(left + 2, c);
      Output(x, a, b, c);
    }
  }

 private:
  const BlockOut out_;
  const PictureRow rows_[3], outside_[3];
  const int32_t* const bias_;
  const float* const scale_;
  uint8_t* const y_;
  const int64_t y_stride_, in_w_, out_w_, left_, channels_;
  I32 w_[12];
};

template <bool kWhole>
void RunStride1(const DwRow<QuadForm>& row, const PictureRow* outside) {
  Window3x3<kWhole>(row, outside).RunStride1();
}
template <bool kWhole>
void RunStride2(const DwRow<QuadForm>& row, const PictureRow* outside) {
  Window3x3<kWhole>(row, outside).RunStride2();
}

template <bool kWhole>
void RunDwRow(const DwRow<QuadForm>& row, const PictureRow* outside) {
  const QConvShape& s = row.shape;
  const bool slides = s.kernel_h == 3 && s.kernel_w == 3 && s.dilation_w == 1 && s.stride_w <= 2;
  if (!slides) {
    RunDwRow<QuadForm, kWhole>(row, outside);
  } else if (s.stride_w == 1) {
    RunStride1<kWhole>(row, outside);
  } else {
    RunStride2<kWhole>(row, outside);
  }
}
#endif
template <bool kWhole>
void RunDwRow(const DwRow<PairForm>& row, const PictureRow* outside) {
  RunDwRow<PairForm, kWhole>(row, outside);
}

// Scratch: the rows of a window, the rows outside of the picture, kBlock zero points, and the
// columns.
template <class Form>
struct DwScratch {
  explicit DwScratch(const QConvShape& s, void* memory = nullptr) {
    const int64_t row_count = CeilDiv(s.kernel_h, Form::kRows) * Form::kRows;
    auto* at = static_cast<uint8_t*>(memory);
    rows = reinterpret_cast<PictureRow*>(at);
    outside = rows + row_count;
    const int64_t rows_bytes = (row_count + Form::kRows) * int64_t{sizeof(PictureRow)};
    zeros = at + RoundUp(rows_bytes, kAlignment);
    columns = zeros + RoundUp(Form::kBlock, kAlignment);
    bytes =
        RoundUp(rows_bytes, kAlignment) + RoundUp(Form::kBlock, kAlignment) +
        RoundUp(DwColumns(s) * row_count / Form::kRows * DwLayout<Form>::kVectorsBytes, kAlignment);
  }
  PictureRow *rows, *outside;
  uint8_t *zeros, *columns;
  int64_t bytes;
};

// A task is some output rows, of all channels.
inline int64_t DwTasks(const QConvShape& s) {
  constexpr int64_t kTaskProducts = 1 << 19;
  const int64_t rows = s.batch * s.out_h;
  return MinInt(rows, CeilDiv(s.pixels() * s.out_c * s.taps(), kTaskProducts));
}

template <class Form>
void RunQDwConv(const QConvArgs& args, int64_t task_begin, int64_t task_end,
                void* memory) noexcept {
  const QConvShape& s = args.shape;
  const DwLayout<Form> layout(s);
  const DwScratch<Form> scratch(s, memory);
  const BlockOut out(args);
  const int32_t zero_point = *static_cast<const int32_t*>(args.packed);
  for (int64_t i = 0; i < Form::kBlock; ++i) scratch.zeros[i] = static_cast<uint8_t>(zero_point);
  for (int i = 0; i < Form::kRows; ++i) scratch.outside[i] = {scratch.zeros, 0};
  const int64_t tasks = DwTasks(s), all = s.batch * s.out_h;
  const int64_t begin = PartOf(all, tasks, task_begin).begin;
  const int64_t end = PartOf(all, tasks, task_end - 1).end;
  for (int64_t block = 0; block < layout.blocks; ++block) {
    const int64_t first = layout.first(block);
    for (int64_t r = begin; r < end; ++r) {
      const int64_t top = r % s.out_h * s.stride_h - s.pad_top;
      for (int64_t ky = 0; ky < layout.groups * Form::kRows; ++ky) {
        const int64_t y = top + ky * s.dilation_h;
        const bool inside = y >= 0 && y < s.in_h && ky < s.kernel_h;
        const int64_t pixel = (r / s.out_h * s.in_h + y) * s.in_w;
        scratch.rows[ky] = inside ? PictureRow{args.x + pixel * s.x_stride() + first, s.x_stride()}
                                  : PictureRow{scratch.zeros, 0};
      }
      const DwRow<Form> row{
          .shape = s,
          .out = out,
          .rows = scratch.rows,
          .block =
              static_cast<const uint8_t*>(args.packed) + kAlignment + block * layout.block_bytes,
          .channels = MinInt(Form::kBlock, s.out_c),
          .columns = scratch.columns,
          .y = static_cast<uint8_t*>(args.y) + r * s.out_w * s.y_stride() + first};
      if (s.out_c >= Form::kBlock) {
        RunDwRow<true>(row, scratch.outside);
      } else {
        RunDwRow<false>(row, scratch.outside);
      }
    }
  }
}

inline bool IsPlainDepthwise(const QConvShape& s) {
  return s.depthwise() && s.out == QOut::kU8 && !s.residual;
}

template <class Form>
constexpr QConvKernel MakeQDwConv() {
  return {.supports =
              [](const QConvShape& s) {
                // s8 weights minus their zero points need s16.
                return IsPlainDepthwise(s) &&
                       (sizeof(typename Form::Weight) > 1 || !s.w_zero_points);
              },
          .cost = nullptr,
          .packed_bytes = [](const QConvShape& s) { return DwLayout<Form>(s).bytes(); },
          .pack = PackQDwConv<Form>,
          .tasks = DwTasks,
          .scratch_bytes = [](const QConvShape& s) { return DwScratch<Form>(s).bytes; },
          .run = RunQDwConv<Form>};
}

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
