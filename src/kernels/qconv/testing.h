// Checks rows of quantized convolutions against the reference, bit by bit. Shared with
// kernels/qdwconv.
#pragma once

#include "kernels/qconv/qconv.h"
#include "kernels/testing.h"

namespace pare::kernels {

enum class QConvValues : uint8_t {
  kAny,        // all bytes alike
  kExtreme,    // mostly 0 and 255 by -128 and 127
  kSevenBits,  // |w| <= 64
  kSmall,      // |w| <= 20
};

// Height and width alike, of inputs, windows, strides and padding.
inline QConvShape Square(int64_t size, int64_t in_c, int64_t out_c, int64_t kernel,
                         int64_t stride = 1, int64_t pad = 0, int64_t groups = 1) {
  const int64_t out = (size + 2 * pad - kernel) / stride + 1;
  return {.in_h = size,
          .in_w = size,
          .in_c = in_c,
          .out_h = out,
          .out_w = out,
          .out_c = out_c,
          .kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = stride,
          .stride_w = stride,
          .pad_top = pad,
          .pad_left = pad,
          .groups = groups};
}

struct QConvCase {
  QConvShape shape;
  bool transposed = false;
  bool w_zero_points = false;
  bool residual = false;
  bool bias = true;
  int64_t gap = 0;     // between the channels of neighbouring pixels
  int64_t offset = 0;  // misalignment of inputs and outputs
  QConvValues values = QConvValues::kAny;
};

inline std::ostream& operator<<(std::ostream& out, const QConvCase& c) {
  const QConvShape& s = c.shape;
  return out << s.batch << "x" << s.in_h << "x" << s.in_w << "x" << s.in_c << " to " << s.out_h
             << "x" << s.out_w << "x" << s.out_c << " kernel " << s.kernel_h << "x" << s.kernel_w
             << " stride " << s.stride_h << " groups " << s.groups << " out "
             << static_cast<int>(s.out) << " gap " << c.gap << " values "
             << static_cast<int>(c.values) << " zero points " << c.w_zero_points << " residual "
             << c.residual;
}

class QConvOperands {
 public:
  explicit QConvOperands(QConvCase c)
      : case_(Complete(c)),
        x_(s().batch * s().in_h * s().in_w * s().x_stride(), c.offset),
        residual_(s().pixels() * s().r_stride(), c.offset),
        w_(s().out_c * s().depth()),
        bias_(s().out_c),
        w_zero_point_(s().out_c),
        scale_(s().out_c) {
    Random random(static_cast<uint32_t>(s().depth() * 31 + s().out_c * 7 + s().pixels()));
    const bool extreme = c.values == QConvValues::kExtreme;
    const auto byte = [&] {
      return extreme && random.integer(0, 9) ? 255 * random.integer(0, 1) : random.integer(0, 255);
    };
    const auto weight = [&] {
      if (extreme && random.integer(0, 5)) return random.integer(0, 1) ? 127 : -128;
      if (c.values == QConvValues::kSevenBits) return random.integer(-64, 64);
      if (c.values == QConvValues::kSmall) return random.integer(-20, 20);
      return random.integer(-128, 127);
    };
    for (int64_t i = 0; i < x_.size(); ++i) x_[i] = static_cast<uint8_t>(byte());
    for (int64_t i = 0; i < residual_.size(); ++i) residual_[i] = static_cast<uint8_t>(byte());
    for (int64_t i = 0; i < w_.size(); ++i) w_[i] = static_cast<int8_t>(weight());
    // The outputs of random sums then fill the bytes, with some saturated.
    const float spread = 1.0f / (70.0f * std::sqrt(static_cast<float>(s().depth() + 1)));
    for (int64_t n = 0; n < s().out_c; ++n) {
      bias_[n] = random.integer(-5000, 5000);
      w_zero_point_[n] = random.integer(-128, 127);
      scale_[n] = spread * random.uniform(0.5f, 2.0f);
    }
    if (s().out_c > 1) scale_[1] = 3000.0f;  // overflows int32 after scaling
  }

  // Bytes of the output, gaps included.
  std::vector<uint8_t> Run(const Row<QConvKernel>& row, int64_t offset) const {
    Bytes packed(row->packed_bytes(s())), scratch(row->scratch_bytes(s()));
    row->pack(s(),
              {.w = w_.data(),
               .transposed = case_.transposed,
               .bias = case_.bias ? bias_.data() : nullptr,
               .scale = scale_.data(),
               .w_zero_point = case_.w_zero_points ? w_zero_point_.data() : nullptr,
               .x_zero_point = 119},
              packed.data());
    const int64_t bytes = s().out == QOut::kU8 ? 1 : 4;
    Buffer<uint8_t> y(s().pixels() * s().y_stride() * bytes, offset * bytes, 0x77);
    const QConvArgs args{.shape = s(),
                         .packed = packed.data(),
                         .x = x_.data(),
                         .y = y.data(),
                         .y_zero_point = 131,
                         .lo = 3,
                         .hi = 250,
                         .residual = case_.residual ? residual_.data() : nullptr,
                         .residual_zero_point = 77,
                         .residual_scale = 0.3f};
    // The last task first: they must not depend on each other.
    for (int64_t task = row->tasks(s()) - 1; task >= 0; --task) {
      row->run(args, task, task + 1, scratch.data());
    }
    EXPECT_TRUE(packed.guards_hold() && scratch.guards_hold() && y.guards_hold());
    return {y.data(), y.data() + y.size()};
  }

  const QConvCase& checked() const { return case_; }

 private:
  const QConvShape& s() const { return case_.shape; }
  static QConvCase Complete(QConvCase c) {
    c.shape.residual = c.residual;
    c.shape.w_zero_points = c.w_zero_points;
    if (c.gap == 0) return c;
    c.shape.in_stride = c.shape.in_c + c.gap;
    c.shape.out_stride = c.shape.out_c + c.gap + 1;
    c.shape.residual_stride = c.shape.out_c + c.gap + 2;
    return c;
  }

  QConvCase case_;
  Buffer<uint8_t> x_, residual_;
  Buffer<int8_t> w_;
  Buffer<int32_t> bias_, w_zero_point_;
  Buffer<float> scale_;
};

// `reference` defaults to the last row.
inline void CheckQConv(Rows<QConvKernel> rows, const QConvCase& c,
                       const Row<QConvKernel>* reference = nullptr) {
  const QConvOperands operands(c);
  const QConvCase& checked = operands.checked();
  const std::vector<uint8_t> expected = operands.Run(reference ? *reference : rows.end()[-1], 0);
  ForEachRow(rows, [&](const Row<QConvKernel>& row) {
    if (!row->supports(checked.shape)) return;
    const std::vector<uint8_t> actual = operands.Run(row, c.offset);
    const auto at = std::mismatch(actual.begin(), actual.end(), expected.begin());
    if (at.first == actual.end()) return;
    ADD_FAILURE() << checked << ": byte " << at.first - actual.begin() << " is " << int{*at.first}
                  << " instead of " << int{*at.second};
  });
}

}  // namespace pare::kernels
