// What the taps of a convolution read, as rows of a matrix [pixel][ky, kx, channel]; compiled per
// ISA: include after kernels/simd/<isa>.h.
#pragma once

#include "kernels/conv/conv.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

// Rows of `count` floats; zeros where there is no `from`.
struct RowCopy {
  int64_t rows, count;
  float* to;
  int64_t to_step;
  const float* from;
  int64_t from_step;
};

template <int kVectors>
PARE_INLINE void CopyVectors(const RowCopy& copy) {
  constexpr int64_t kRowsAhead = 16;
  float* to = copy.to;
  const float* from = copy.from;
  for (int64_t r = 0; r < copy.rows; ++r, to += copy.to_step, from += copy.from_step) {
    // The hardware does not foresee lines that lie a row of a matrix apart.
    Prefetch(from + kRowsAhead * copy.from_step);
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) Store(to + v * kLanes, Load(from + v * kLanes));
  }
}

inline void CopyRows(const RowCopy& copy) noexcept {
  if (copy.count == 2 * kLanes) return CopyVectors<2>(copy);
  if (copy.count == kLanes) return CopyVectors<1>(copy);
  float* to = copy.to;
  const float* from = copy.from;
  const int64_t count = copy.count;
  const Tail tail = FirstN(count);
  for (int64_t r = 0; r < copy.rows; ++r, to += copy.to_step, from += copy.from_step) {
    if (count >= kLanes) {
      for (int64_t i = 0; i + kLanes < count; i += kLanes) Store(to + i, Load(from + i));
      Store(to + count - kLanes, Load(from + count - kLanes));
    } else if (kLanes == 16) {
      Store(to, Load(from, tail), tail);
    } else {  // partial stores are slow there
      for (int64_t i = 0; i < count; ++i) to[i] = from[i];
    }
  }
}

inline void ClearRows(int64_t rows, int64_t count, float* to, int64_t to_step) noexcept {
  if (count == 0) return;
  for (int64_t r = 0; r < rows; ++r, to += to_step) {
    for (int64_t i = 0; i < count; ++i) to[i] = 0.0f;
  }
}

// A run of columns that are neighbours in the image's lines: channels of one tap or, where the taps
// of a line lie side by side, of that line. Numbers of floats count from the first tap's pixel.
struct Piece {
  int64_t ky, kx;  // the first tap
  int64_t begin;   // floats past it
  int64_t count;
};

// The pieces' part of a run of output pixels of one line, first reading input pixel ix; `row` is
// null above and below the image.
inline void GatherLine(const ConvShape& s, const Piece& piece, const float* row, int64_t ix,
                       RowCopy copy) noexcept {
  if (!row) return ClearRows(copy.rows, piece.count, copy.to, copy.to_step);
  // Pixels [begin, end) have all of the piece inside of the image.
  const int64_t c = s.group_in(), line = s.in_w * c;
  const int64_t first = -(piece.begin / c), room = line - piece.begin - piece.count;
  const int64_t last = room < 0 ? -CeilDiv(-room, c) : room / c;
  int64_t begin = ix < first ? MinInt(copy.rows, CeilDiv(first - ix, s.stride_w)) : 0;
  int64_t end = last < ix ? 0 : MinInt(copy.rows, (last - ix) / s.stride_w + 1);
  end = MaxInt(begin, end);
  const auto border = [&](int64_t from, int64_t to) {
    for (int64_t r = from; r < to; ++r) {
      const int64_t at = (ix + r * s.stride_w) * c + piece.begin;
      float* out = copy.to + r * copy.to_step;
      const int64_t stop = MinInt(piece.count, MaxInt(0, line - at));
      const int64_t start = MinInt(stop, MaxInt(0, -at));
      for (int64_t i = 0; i < start; ++i) out[i] = 0.0f;
      for (int64_t i = start; i < stop; ++i) out[i] = row[at + i];
      for (int64_t i = stop; i < piece.count; ++i) out[i] = 0.0f;
    }
  };
  border(0, begin);
  border(end, copy.rows);
  copy.rows = end - begin;
  copy.to += begin * copy.to_step;
  copy.from = row + (ix + begin * s.stride_w) * s.in_stride + piece.begin;
  CopyRows(copy);
}

inline void GatherPiece(const ConvShape& s, const float* x, Range pixels, const Piece& piece,
                        float* to, int64_t to_step) noexcept {
  RowCopy copy{.rows = 0,
               .count = piece.count,
               .to = to,
               .to_step = to_step,
               .from = nullptr,
               .from_step = s.stride_w * s.in_stride};
  int64_t image = pixels.begin / (s.out_h * s.out_w);
  int64_t oy = pixels.begin / s.out_w % s.out_h, ox = pixels.begin % s.out_w;
  for (int64_t left = pixels.size(); left > 0; left -= copy.rows) {
    copy.rows = MinInt(left, s.out_w - ox);
    const int64_t iy = oy * s.stride_h - s.pad_top + piece.ky * s.dilation_h;
    const int64_t ix = ox * s.stride_w - s.pad_left + piece.kx * s.dilation_w;
    const bool inside = iy >= 0 && iy < s.in_h;
    const float* row = inside ? x + (image * s.in_h + iy) * s.in_w * s.in_stride : nullptr;
    GatherLine(s, piece, row, ix, copy);
    copy.to += copy.rows * to_step;
    ox = 0;
    if (++oy == s.out_h) oy = 0, ++image;
  }
}

// to[pixel][0 … width): the columns' elements, then zeros. x begins at the group's first channel.
inline void GatherColumns(const ConvShape& s, const float* x, Range pixels, Range columns,
                          float* to, int64_t width) noexcept {
  const bool merged = s.groups == 1 && s.dilation_w == 1 && s.in_stride == s.in_c;
  const int64_t segment = s.group_in() * (merged ? s.kernel_w : 1);
  const int64_t lines = merged ? 1 : s.kernel_w;
  for (int64_t column = columns.begin; column < columns.end;) {
    const int64_t at = column / segment, begin = column % segment;
    const Piece piece{.ky = at / lines,
                      .kx = at % lines,
                      .begin = begin,
                      .count = MinInt(segment - begin, columns.end - column)};
    GatherPiece(s, x, pixels, piece, to + (column - columns.begin), width);
    column += piece.count;
  }
  ClearRows(pixels.size(), width - columns.size(), to + columns.size(), width);
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
