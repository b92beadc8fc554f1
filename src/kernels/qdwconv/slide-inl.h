// The sliding 3×3 window of byte dot products, compiled per ISA: include after
// kernels/simd/<isa>.h.
#pragma once

#include "kernels/qdwconv/form-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

#if PARE_SIMD_HAS_DOT_U8S8 || PARE_SIMD_HAS_DOT_S8S8
// Three columns, sliding; columns and weights stay in registers. Everything is copied into members
// first: behind pointers, the compiler would have to load it again after every store of an output.
template <bool kWhole>
class Window3x3 {
 public:
  using Column = I32[4];

  PARE_INLINE Window3x3(const DwRow& row, const DwBlock& block)
      : out_(row.out),
        rows_{row.rows[0], row.rows[1], row.rows[2]},
        outside_(row.outside),
        bias_(block.bias),
        scale_(block.scale),
        y_(row.y),
        y_stride_(row.y_stride),
        in_w_(row.in_w),
        out_w_(row.out_w),
        left_(-row.pad_left),
        channels_(row.channels) {
    PARE_UNROLL for (int i = 0; i < 12; ++i) w_[i] = LoadBytes(block.weights + i * kLanes * 4);
  }

  PARE_INLINE void LoadColumn(int64_t x, Column& c) const {
    if (x >= 0 && x < in_w_) {
      const uint8_t* from[3] = {rows_[0].first + x * rows_[0].step,
                                rows_[1].first + x * rows_[1].step,
                                rows_[2].first + x * rows_[2].step};
      QuadForm::Column3<kWhole>(from, channels_, c);
    } else {
      const uint8_t* from[3] = {outside_, outside_, outside_};
      QuadForm::Column3<kWhole>(from, channels_, c);
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
  const PictureRow rows_[3];
  const uint8_t* const outside_;
  const int32_t* const bias_;
  const float* const scale_;
  uint8_t* const y_;
  const int64_t y_stride_, in_w_, out_w_, left_, channels_;
  I32 w_[12];
};

template <bool kWhole>
void SlideBy1(const DwRow& row, const DwBlock& block) {
  Window3x3<kWhole>(row, block).RunStride1();
}
template <bool kWhole>
void SlideBy2(const DwRow& row, const DwBlock& block) {
  Window3x3<kWhole>(row, block).RunStride2();
}
#endif

// One output row of a 3×3 window that moves by one or two pixels; only for forms that slide.
template <class Form, bool kWhole>
void Slide(const DwRow& row, const DwBlock& block) {
#if PARE_SIMD_HAS_DOT_U8S8 || PARE_SIMD_HAS_DOT_S8S8
  if constexpr (Form::kSlides) {
    if (row.stride_w == 1) {
      SlideBy1<kWhole>(row, block);
    } else {
      SlideBy2<kWhole>(row, block);
    }
  }
#else
  static_cast<void>(row), static_cast<void>(block);
#endif
}

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
