// Where the inputs of output pixels lie; compiled per ISA: include after kernels/simd/<isa>.h.
//
// The inputs of a pixel are read in place: one run of bytes for each row of the window, where the
// window's pixels lie side by side in memory, or one for each of its pixels. Rows outside of the
// picture are a row of zero points; runs that hang over its edge are copied to scratch. Kernels
// that need all inputs in one run get a copy.
#pragma once

#include "kernels/qconv/qconv.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

// n is kSize … 2 · kSize: two pieces that overlap.
template <int64_t kSize>
PARE_INLINE void CopyTwice(uint8_t* to, const uint8_t* from, int64_t n) {
  __builtin_memcpy(to, from, kSize);
  __builtin_memcpy(to + n - kSize, from + n - kSize, kSize);
}

PARE_INLINE void CopyBytes(uint8_t* to, const uint8_t* from, int64_t n) {
  constexpr int64_t kVector = kLanes * 4;
  if (n >= kVector) {
    for (int64_t i = 0; i + kVector <= n; i += kVector) StoreBytes(to + i, LoadBytes(from + i));
    StoreBytes(to + n - kVector, LoadBytes(from + n - kVector));
  } else if (n >= 32) {
    CopyTwice<32>(to, from, n);
  } else if (n >= 16) {
    CopyTwice<16>(to, from, n);
  } else if (n >= 8) {
    CopyTwice<8>(to, from, n);
  } else if (n >= 4) {
    CopyTwice<4>(to, from, n);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  }
}

inline void FillBytes(uint8_t* to, int32_t value, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<uint8_t>(value);
}

// A window of one group over the input, moving from output pixel to output pixel.
class Window {
 public:
  Window(const QConvArgs& args, int64_t group, int64_t pixel)
      : shape(args.shape),
        channels_(args.shape.group_in()),
        x_(args.x + group * channels_),
        column_step_(args.shape.dilation_w * args.shape.x_stride()),
        row_step_(args.shape.dilation_h * args.shape.in_w * args.shape.x_stride()),
        next_step_(args.shape.stride_w * args.shape.x_stride()),
        out_row_(pixel / args.shape.out_w),
        out_x_(pixel % args.shape.out_w) {
    StartRow();
  }

  PARE_INLINE void Next() {
    left_ += shape.stride_w;
    at_ += next_step_;
    if (++out_x_ < shape.out_w) return;
    out_x_ = 0;
    ++out_row_;
    StartRow();
  }

  // The input pixel under tap (ky, kx), or null outside of the picture.
  const uint8_t* Tap(int64_t ky, int64_t kx) const {
    const int64_t x = left_ + kx * shape.dilation_w;
    return RowInside(ky) && x >= 0 && x < shape.in_w ? Inside(ky, kx) : nullptr;
  }
  // The same where it is known to be inside.
  PARE_INLINE const uint8_t* Inside(int64_t ky, int64_t kx) const {
    return x_ + (at_ + ky * row_step_ + kx * column_step_);
  }
  PARE_INLINE bool RowInside(int64_t ky) const {
    const int64_t row = top_ + ky * shape.dilation_h;
    return row >= 0 && row < shape.in_h;
  }
  PARE_INLINE bool RowsInside() const {
    return top_ >= 0 && top_ + (shape.kernel_h - 1) * shape.dilation_h < shape.in_h;
  }
  int64_t row_step() const { return row_step_; }
  PARE_INLINE bool ColumnsInside() const {
    return left_ >= 0 && left_ + (shape.kernel_w - 1) * shape.dilation_w < shape.in_w;
  }

  // The inputs under row `ky` of the window, one after the other.
  void CopyRow(int64_t ky, int32_t zero_point, uint8_t* to) const {
    for (int64_t kx = 0; kx < shape.kernel_w; ++kx, to += channels_) {
      if (const uint8_t* tap = Tap(ky, kx)) {
        CopyBytes(to, tap, channels_);
      } else {
        FillBytes(to, zero_point, channels_);
      }
    }
  }

  const QConvShape& shape;

 private:
  void StartRow() {
    top_ = out_row_ % shape.out_h * shape.stride_h - shape.pad_top;
    left_ = out_x_ * shape.stride_w - shape.pad_left;
    at_ = ((out_row_ / shape.out_h * shape.in_h + top_) * shape.in_w + left_) * shape.x_stride();
  }

  const int64_t channels_;  // of the group; kept, because the shape divides for them
  const uint8_t* const x_;
  const int64_t column_step_, row_step_, next_step_;
  int64_t out_row_, out_x_;  // rows count through the batch
  int64_t top_, left_;       // of the window, in the picture
  int64_t at_;               // of tap (0, 0), from x_
};

// Output pixel i needs input pixel i and nothing else: the rows of a matrix product.
inline bool IsPointwise(const QConvShape& s) {
  return s.taps() == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_top == 0 && s.pad_left == 0 &&
         s.in_h == s.out_h && s.in_w == s.out_w;
}

// The window's rows lie in memory as they lie in the packed weights.
inline bool RowsAreRuns(const QConvShape& s) {
  return s.kernel_w == 1 || (s.x_stride() == s.in_c && s.groups == 1 && s.dilation_w == 1);
}

// Rows for tiles that walk segments: kernel_h runs of kernel_w · group_in bytes, or taps runs of
// group_in.
class SegmentedRows {
 public:
  static int64_t RunBytes(const QConvShape& s) {
    const int64_t bytes = s.kernel_w * s.group_in();
    return bytes > 0 ? MaxInt(4, bytes) : 0;
  }
  static int64_t ScratchBytes(const QConvShape& s, int64_t max_rows) {
    const int64_t pointers = max_rows * s.taps() * static_cast<int64_t>(sizeof(uint8_t*));
    return RoundUp(pointers, kAlignment) +
           RoundUp(RunBytes(s) * (1 + max_rows * s.kernel_h), kAlignment);
  }

  SegmentedRows(const QConvArgs& args, int32_t zero_point, int64_t max_rows, void* scratch)
      : args_(args), zero_point_(zero_point), rows_(static_cast<const uint8_t**>(scratch)) {
    const QConvShape& s = args.shape;
    run_ = RunBytes(s);
    used_ = s.kernel_w * s.group_in();
    copy_ = used_ < 4;
    per_tap_ = !RowsAreRuns(s) && s.group_in() % 4 == 0;
    if (!RowsAreRuns(s) && !per_tap_) copy_ = true;
    pointwise_ = IsPointwise(s) && !copy_;
    const int64_t pointers = max_rows * s.taps() * static_cast<int64_t>(sizeof(uint8_t*));
    zeros_ = static_cast<uint8_t*>(scratch) + RoundUp(pointers, kAlignment);
    copies_ = zeros_ + run_;
  }

  // Before the first Find: it writes to the scratch, which the constructor does not.
  void FillZeros() { FillBytes(zeros_, zero_point_, run_); }

  int64_t segments() const { return per_tap_ ? args_.shape.taps() : args_.shape.kernel_h; }
  int64_t length() const { return per_tap_ ? args_.shape.group_in() : run_; }

  const uint8_t* const* Find(int64_t group, Range pixels) {
    const QConvShape& s = args_.shape;
    const int64_t n = pixels.size();
    if (pointwise_) {
      const uint8_t* x = args_.x + group * s.group_in() + pixels.begin * s.x_stride();
      for (int64_t r = 0; r < n; ++r) rows_[r] = x + r * s.x_stride();
      return rows_;
    }
    Window window(args_, group, pixels.begin);
    for (int64_t r = 0; r < n; ++r, window.Next()) {
      const bool inside = window.ColumnsInside();
      for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
        if (per_tap_) {
          for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
            const uint8_t* tap = window.Tap(ky, kx);
            rows_[(ky * s.kernel_w + kx) * n + r] = tap ? tap : zeros_;
          }
        } else {
          rows_[ky * n + r] = Run(window, ky, inside, copies_ + (r * s.kernel_h + ky) * run_);
        }
      }
    }
    return rows_;
  }

 private:
  const uint8_t* Run(const Window& window, int64_t ky, bool inside, uint8_t* copy) const {
    if (!window.RowInside(ky)) return zeros_;
    if (inside && !copy_) return window.Inside(ky, 0);
    window.CopyRow(ky, zero_point_, copy);
    for (int64_t i = used_; i < run_; ++i) copy[i] = 0;
    return copy;
  }

  const QConvArgs& args_;
  const int32_t zero_point_;
  const uint8_t** rows_;
  uint8_t *zeros_, *copies_;
  int64_t run_, used_;  // bytes of a run, and without its padding
  bool copy_, per_tap_, pointwise_;
};

// Rows for tiles that need all `depth` inputs of a pixel in one run, followed by zeros up to a
// multiple of 4.
class FlatRows {
 public:
  static int64_t RowBytes(const QConvShape& s) { return RoundUp(s.depth(), 4); }
  static int64_t ScratchBytes(const QConvShape& s, int64_t max_rows) {
    return RoundUp(max_rows * static_cast<int64_t>(sizeof(uint8_t*)), kAlignment) +
           RoundUp(RowBytes(s) * (1 + max_rows), kAlignment);
  }

  FlatRows(const QConvArgs& args, int32_t zero_point, int64_t max_rows, void* scratch)
      : args_(args),
        zero_point_(zero_point),
        rows_(static_cast<const uint8_t**>(scratch)),
        copies_(static_cast<uint8_t*>(scratch) +
                RoundUp(max_rows * static_cast<int64_t>(sizeof(uint8_t*)), kAlignment)),
        depth_(args.shape.depth()),
        row_bytes_(RowBytes(args.shape)),
        run_(args.shape.kernel_w * args.shape.group_in()),
        in_place_(args.shape.taps() == 1 && depth_ % 4 == 0),
        pointwise_(in_place_ && IsPointwise(args.shape)),
        runs_(RowsAreRuns(args.shape)) {}

  int64_t length() const { return row_bytes_; }

  const uint8_t** Find(int64_t group, Range pixels) {
    if (pointwise_) {
      const int64_t stride = args_.shape.x_stride();
      const uint8_t* x = args_.x + group * args_.shape.group_in() + pixels.begin * stride;
      for (int64_t r = 0; r < pixels.size(); ++r) rows_[r] = x + r * stride;
      return rows_;
    }
    Window window(args_, group, pixels.begin);
    uint8_t* copy = copies_;
    for (int64_t r = 0; r < pixels.size(); ++r, window.Next(), copy += row_bytes_) {
      const uint8_t* tap = in_place_ ? window.Tap(0, 0) : nullptr;
      rows_[r] = tap ? tap : Copy(window, copy);
    }
    return rows_;
  }

 private:
  const uint8_t* Copy(const Window& window, uint8_t* to) const {
    const QConvShape& s = args_.shape;
    uint8_t* end = to;
    if (row_bytes_ != depth_) __builtin_memset(to + row_bytes_ - 4, 0, 4);
    if (runs_ && window.ColumnsInside() && window.RowsInside()) {
      const uint8_t* from = window.Inside(0, 0);
      for (int64_t ky = s.kernel_h; ky > 0; --ky, end += run_, from += window.row_step()) {
        CopyBytes(end, from, run_);
      }
    } else {
      for (int64_t ky = 0; ky < s.kernel_h; ++ky, end += run_) window.CopyRow(ky, zero_point_, end);
    }
    return to;
  }

  const QConvArgs& args_;
  const int32_t zero_point_;
  const uint8_t** rows_;
  uint8_t* copies_;
  const int64_t depth_, row_bytes_, run_;
  const bool in_place_, pointwise_, runs_;
};

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
