// Depthwise quantized convolution, compiled per ISA: include after kernels/simd/<isa>.h.
//
// Channels are cut into blocks; the last block is moved back to end at the last channel, so that a
// block is partial only where there are fewer channels than it holds. Then, where windows move by
// one pixel, a block holds several pixels side by side, and the rows are copied with their padding.
// For one output row and block, the columns of the picture are arranged once (form-inl.h) and kept
// in scratch, outside of the picture as zero points; then every output multiplies kernel_w of them.
// The 3×3 window of byte dot products keeps its columns in registers instead.
#pragma once

#include "kernels/qdwconv/slide-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

// Pixels side by side in a block.
constexpr int64_t PixelsInBlock(int64_t channels) {
  return channels * 2 <= BlockForm::kBlock ? BlockForm::kBlock / channels : 1;
}

// Packed: for each block bias[kBlock], scale[kBlock], weights [kernel_w][groups][kBlock][kRows],
// channels in the form's order; a group is kRows rows of the window. Before the blocks, the input's
// zero point.
template <class Form>
struct DwLayout {
  explicit DwLayout(const QConvShape& s)
      : channels(s.out_c),
        blocks(CeilDiv(s.out_c, Form::kBlock)),
        groups(CeilDiv(s.kernel_h, Form::kRows)),
        block_bytes((2 + s.kernel_w * groups) * kColumnBytes) {}

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
  auto* scale = reinterpret_cast<float*>(to + kColumnBytes);
  auto* weights = reinterpret_cast<typename Form::Weight*>(to + 2 * kColumnBytes);
  for (int v = 0; v < Form::kVectors; ++v) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const int64_t place = Form::ChannelOf(v, lane), at = v * kLanes + lane;
      const bool valid = place < s.out_c * PixelsInBlock(s.out_c);
      const int64_t channel = first + place % s.out_c;
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

// Columns [columns][groups][kVectors] of the row, from the leftmost that a window touches.
template <class Form, bool kWhole>
void ArrangeColumns(const DwRow& row, int64_t groups, uint8_t* columns) {
  const int64_t count = row.columns(), begin = MinInt(row.pad_left, count);
  const int64_t end = MaxInt(begin, MinInt(row.pad_left + row.in_w, count));
  const int64_t step = groups * kColumnBytes, channels = row.channels;
  for (int64_t g = 0; g < groups; ++g, columns += kColumnBytes) {
    const uint8_t* from[Form::kRows];
    int64_t pixel[Form::kRows];
    I32 d[Form::kVectors];
    PARE_UNROLL for (int i = 0; i < Form::kRows; ++i) from[i] = row.outside;
    Form::template Column<kWhole>(from, channels, d);
    for (int64_t column = 0; column < begin; ++column) StoreColumn(columns + column * step, d);
    for (int64_t column = end; column < count; ++column) StoreColumn(columns + column * step, d);
    PARE_UNROLL for (int i = 0; i < Form::kRows; ++i) {
      from[i] = row.rows[g * Form::kRows + i].first;
      pixel[i] = row.rows[g * Form::kRows + i].step;
    }
    uint8_t* to = columns + begin * step;
    for (int64_t column = begin; column < end; ++column, to += step) {
      Form::template Column<kWhole>(from, channels, d);
      StoreColumn(to, d);
      PARE_UNROLL for (int i = 0; i < Form::kRows; ++i) from[i] += pixel[i];
    }
  }
}

// What the multiplication of arranged columns needs, in bytes.
struct DwSteps {
  int64_t taps, groups;
  int64_t output, tap;  // from column to column
  int64_t y_stride;
};

// kOutputs outputs side by side.
template <class Form, bool kWhole, int kOutputs>
PARE_INLINE void MultiplyColumns(const DwBlock& block, const DwSteps& steps, const BlockOut& out,
                                 const uint8_t* columns, uint8_t* y) {
  I32 acc[kOutputs][Form::kVectors];
  PARE_UNROLL for (int v = 0; v < Form::kVectors; ++v) {
    const I32 bias = Load(block.bias + v * kLanes);
    PARE_UNROLL for (int o = 0; o < kOutputs; ++o) acc[o][v] = bias;
  }
  const uint8_t* w = block.weights;
  for (int64_t i = 0; i < steps.taps; ++i) {
    const uint8_t* d = columns + i * steps.tap;
    for (int64_t g = 0; g < steps.groups; ++g, d += kColumnBytes, w += kColumnBytes) {
      PARE_UNROLL for (int v = 0; v < Form::kVectors; ++v) {
        const I32 weight = LoadBytes(w + v * kLanes * 4);
        PARE_UNROLL for (int o = 0; o < kOutputs; ++o) {
          const I32 column = LoadBytes(d + o * steps.output + v * kLanes * 4);
          acc[o][v] = Form::Dot(acc[o][v], column, weight);
        }
      }
    }
  }
  PARE_UNROLL for (int o = 0; o < kOutputs; ++o) {
    Form::template StoreOut<kWhole>(y + o * steps.y_stride, acc[o], block.scale, block.channels,
                                    out);
  }
}

// Arranges the columns of the row and multiplies them.
template <class Form, bool kWhole>
void RunArranged(const DwRow& row, const DwBlock& from, int64_t groups, uint8_t* columns) {
  constexpr int kOutputs = kLanes == 8 ? 2 : 4;  // registers for 4 sums each, a weight and a column
  ArrangeColumns<Form, kWhole>(row, groups, columns);
  const DwSteps steps{.taps = row.kernel_w,
                      .groups = groups,
                      .output = row.stride_w * groups * kColumnBytes,
                      .tap = row.dilation_w * groups * kColumnBytes,
                      .y_stride = row.y_stride};
  const BlockOut out = row.out;
  const DwBlock block = from;
  uint8_t* y = row.y;
  int64_t left = row.out_w;
  for (; left >= kOutputs; left -= kOutputs) {
    MultiplyColumns<Form, kWhole, kOutputs>(block, steps, out, columns, y);
    columns += kOutputs * steps.output;
    y += kOutputs * steps.y_stride;
  }
  for (; left > 0; --left, columns += steps.output, y += steps.y_stride) {
    MultiplyColumns<Form, kWhole, 1>(block, steps, out, columns, y);
  }
}

template <class Form, bool kWhole>
void RunDwRow(const DwRow& row, const DwBlock& block, int64_t kernel_h, uint8_t* columns) {
  if (Form::kSlides && kernel_h == 3 && row.kernel_w == 3 && row.dilation_w == 1 &&
      row.stride_w <= 2) {
    Slide<Form, kWhole>(row, block);
  } else {
    RunArranged<Form, kWhole>(row, block, CeilDiv(kernel_h, Form::kRows), columns);
  }
}

// A task is some output rows, of all channels.
inline int64_t DwTasks(const QConvShape& s) {
  constexpr int64_t kTaskProducts = 1 << 19;
  const int64_t rows = s.batch * s.out_h;
  return MinInt(rows, CeilDiv(s.pixels() * s.out_c * s.taps(), kTaskProducts));
}

// One call of run().
template <class Form>
class DwRunner {
 public:
  static int64_t ScratchBytes(const QConvShape& s) { return Places(s).bytes; }

  DwRunner(const QConvArgs& args, void* memory)
      : args_(args),
        shape_(args.shape),
        layout_(args.shape),
        places_(args.shape),
        scratch_{static_cast<PictureRow*>(memory), At(memory, places_.outside),
                 At(memory, places_.columns), At(memory, places_.padded)},
        out_(args),
        zero_point_(*static_cast<const int32_t*>(args.packed)) {
    FillBytes(scratch_.outside, Form::kBlock);
  }

  void Rows(int64_t begin, int64_t end) {
    for (int64_t block = 0; block < layout_.blocks; ++block) {
      const int64_t first = layout_.first(block);
      const uint8_t* packed = static_cast<const uint8_t*>(args_.packed) + kAlignment;
      const DwBlock described(packed + block * layout_.block_bytes,
                              MinInt(Form::kBlock, shape_.out_c));
      for (int64_t r = begin; r < end; ++r) Row(r, first, described);
    }
  }

 private:
  // Where things lie in scratch: the rows of a window; zero points for a pixel outside; columns;
  // and rows with padding, where a block holds several pixels.
  struct Places {
    explicit Places(const QConvShape& s) {
      const int64_t row_count = CeilDiv(s.kernel_h, Form::kRows) * Form::kRows;
      outside = RoundUp(row_count * int64_t{sizeof(PictureRow)}, kAlignment);
      columns = outside + RoundUp(Form::kBlock, kAlignment);
      const int64_t most = DwColumns(s) + PixelsInBlock(s.out_c) * 2;
      padded = columns + most * row_count / Form::kRows * kColumnBytes;
      padded_row = SharesBlocks(s) ? RoundUp(most * s.in_c + Form::kBlock, kAlignment) : 0;
      bytes = padded + padded_row * s.kernel_h;
    }
    int64_t outside, columns, padded, padded_row, bytes;
  };

  static int64_t DwColumns(const QConvShape& s) {
    return (s.out_w - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
  }
  static bool SharesBlocks(const QConvShape& s) {
    return PixelsInBlock(s.out_c) > 1 && s.stride_w == 1 && s.x_stride() == s.in_c &&
           s.y_stride() == s.out_c;
  }

  static uint8_t* At(void* memory, int64_t offset) {
    return static_cast<uint8_t*>(memory) + offset;
  }

  void FillBytes(uint8_t* to, int64_t n) const {
    for (int64_t i = 0; i < n; ++i) to[i] = static_cast<uint8_t>(zero_point_);
  }

  // Output row r of the batch, channels from `first` on.
  void Row(int64_t r, int64_t first, const DwBlock& block) {
    const QConvShape& s = shape_;
    const int64_t top = r % s.out_h * s.stride_h - s.pad_top;
    for (int64_t ky = 0; ky < layout_.groups * Form::kRows; ++ky) {
      const int64_t y = top + ky * s.dilation_h;
      const bool inside = y >= 0 && y < s.in_h && ky < s.kernel_h;
      const int64_t pixel = (r / s.out_h * s.in_h + y) * s.in_w;
      scratch_.rows[ky] = inside ? PictureRow{args_.x + pixel * s.x_stride() + first, s.x_stride()}
                                 : PictureRow{scratch_.outside, 0};
    }
    DwRow row{.out = out_,
              .rows = scratch_.rows,
              .outside = scratch_.outside,
              .y = static_cast<uint8_t*>(args_.y) + r * s.out_w * s.y_stride() + first,
              .y_stride = s.y_stride(),
              .in_w = s.in_w,
              .out_w = s.out_w,
              .pad_left = s.pad_left,
              .kernel_w = s.kernel_w,
              .stride_w = s.stride_w,
              .dilation_w = s.dilation_w,
              .channels = block.channels};
    if (SharesBlocks(s)) {
      RowOfSharedBlocks(row, block);
    } else if (block.channels == Form::kBlock) {
      RunDwRow<Form, true>(row, block, s.kernel_h, scratch_.columns);
    } else {
      RunDwRow<Form, false>(row, block, s.kernel_h, scratch_.columns);
    }
  }

  // The same as a row of outputs of several pixels; what is left of it as one smaller output.
  void RowOfSharedBlocks(DwRow row, DwBlock block) {
    const int64_t pixels = PixelsInBlock(shape_.out_c), channels = shape_.out_c;
    PadRows();
    row.in_w = DwColumns(shape_);
    row.pad_left = 0;
    row.stride_w = pixels;
    row.y_stride = pixels * channels;
    row.out_w = shape_.out_w / pixels;
    row.channels = block.channels = pixels * channels;
    if (row.out_w > 0 && row.channels == Form::kBlock) {
      RunDwRow<Form, true>(row, block, shape_.kernel_h, scratch_.columns);
    } else if (row.out_w > 0) {
      RunDwRow<Form, false>(row, block, shape_.kernel_h, scratch_.columns);
    }
    const int64_t done = row.out_w * pixels, left = shape_.out_w - done;
    if (left == 0) return;
    for (int64_t ky = 0; ky < shape_.kernel_h; ++ky) {
      if (scratch_.rows[ky].step != 0) scratch_.rows[ky].first += done * channels;
    }
    row.y += done * channels;
    row.in_w -= done;
    row.out_w = 1;
    row.channels = block.channels = left * channels;
    RunDwRow<Form, false>(row, block, shape_.kernel_h, scratch_.columns);
  }

  // Copies the rows under the window, with what they lack at both ends.
  void PadRows() {
    const QConvShape& s = shape_;
    const int64_t left = s.pad_left * s.in_c, all = DwColumns(s) * s.in_c;
    const int64_t inside = MaxInt(0, MinInt(s.in_w * s.in_c, all - left));
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      if (scratch_.rows[ky].step == 0) continue;
      uint8_t* to = scratch_.padded + ky * places_.padded_row;
      FillBytes(to, MinInt(left, all));
      __builtin_memcpy(to + MinInt(left, all), scratch_.rows[ky].first,
                       static_cast<size_t>(inside));
      if (left + inside < all) FillBytes(to + left + inside, all - left - inside);
      scratch_.rows[ky].first = to;
    }
  }

  const QConvArgs& args_;
  const QConvShape shape_;
  const DwLayout<Form> layout_;
  const Places places_;
  struct {
    PictureRow* rows;
    uint8_t *outside, *columns, *padded;
  } const scratch_;
  const BlockOut out_;
  const int32_t zero_point_;
};

template <class Form>
void RunQDwConv(const QConvArgs& args, int64_t task_begin, int64_t task_end,
                void* scratch) noexcept {
  const int64_t tasks = DwTasks(args.shape), rows = args.shape.batch * args.shape.out_h;
  DwRunner<Form>(args, scratch)
      .Rows(PartOf(rows, tasks, task_begin).begin, PartOf(rows, tasks, task_end - 1).end);
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
          .scratch_bytes = DwRunner<Form>::ScratchBytes,
          .run = RunQDwConv<Form>};
}

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
