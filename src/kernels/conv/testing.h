// What the tests of conv and its relatives share.
#pragma once

#include <cmath>

#include "kernels/conv/conv.h"
#include "kernels/testing.h"

namespace pare::kernels {

struct ConvCase {
  ConvShape shape;
  int64_t offset = 0;  // misalignment in floats
  bool bias = true;
  bool residual = false;
  Activation activation = {};
  TapOrder order = TapOrder::kFirst;
  bool exchanged = false;  // [in_c, …, out_c / groups], taps turned round

  ConvWeights Weights(const float* data) const {
    return exchanged ? DenseTransposedWeights(shape, data, order).TurnedRound(shape)
                     : DenseWeights(shape, data, order);
  }
};

// A square kernel with `same`-like padding and dense tensors.
inline ConvShape Square(int64_t size, int64_t in_c, int64_t out_c, int64_t kernel,
                        int64_t stride = 1, int64_t groups = 1, int64_t dilation = 1) {
  ConvShape s;
  s.in_h = size, s.in_w = size + 2, s.in_c = s.in_stride = in_c;
  s.out_c = s.out_stride = s.residual_stride = out_c;
  s.kernel_h = s.kernel_w = kernel;
  s.stride_h = s.stride_w = stride;
  s.dilation_h = s.dilation_w = dilation;
  s.pad_top = s.pad_left = (kernel - 1) * dilation / 2;
  s.out_h = CeilDiv(s.in_h, stride), s.out_w = CeilDiv(s.in_w, stride);
  s.groups = groups;
  return s;
}

inline std::ostream& operator<<(std::ostream& out, const ConvCase& c) {
  const ConvShape& s = c.shape;
  return out << s.batch << "x" << s.in_h << "x" << s.in_w << "x" << s.in_c << " -> " << s.out_h
             << "x" << s.out_w << "x" << s.out_c << " kernel " << s.kernel_h << "x" << s.kernel_w
             << " stride " << s.stride_h << " dilation " << s.dilation_h << " groups " << s.groups
             << " act " << static_cast<int>(c.activation.kind);
}

struct ConvOperands {
  explicit ConvOperands(const ConvCase& c)
      : x(c.shape.batch * c.shape.in_h * c.shape.in_w * c.shape.in_stride, c.offset),
        weights(c.shape.out_c * c.shape.kernel_h * c.shape.kernel_w * c.shape.group_in(), c.offset),
        bias(c.shape.out_c, c.offset),
        residual(c.shape.pixels() * c.shape.residual_stride, c.offset) {
    Random random(static_cast<uint32_t>(x.size() + weights.size()));
    random.fill(x);
    random.fill(weights);
    random.fill(bias);
    random.fill(residual);
  }
  Buffer<float> x, weights, bias, residual;
};

// Runs tasks one by one, the last first: they must not depend on each other.
inline void RunConvRow(const Row<ConvKernel>& row, const ConvCase& c, const ConvOperands& in,
                       Buffer<float>& out) {
  Bytes packed(row->packed_bytes(c.shape)), scratch(row->scratch_bytes(c.shape));
  for (int64_t panel = row->panels(c.shape) - 1; panel >= 0; --panel) {
    row->pack(c.shape, c.Weights(in.weights.data()), c.bias ? in.bias.data() : nullptr, panel,
              panel + 1, packed.data());
  }
  const ConvArgs args{.shape = c.shape,
                      .x = in.x.data(),
                      .packed = packed.data(),
                      .residual = c.residual ? in.residual.data() : nullptr,
                      .y = out.data(),
                      .activation = c.activation};
  for (int64_t task = row->tasks(c.shape) - 1; task >= 0; --task) {
    row->run(args, task, task + 1, scratch.data());
  }
  EXPECT_TRUE(packed.guards_hold() && scratch.guards_hold() && out.guards_hold());
}

// Every row of a table against its last one, the scalar reference.
inline void CheckConv(Rows<ConvKernel> rows, const ConvCase& c) {
  const ConvOperands in(c);
  Buffer<float> expected(c.shape.pixels() * c.shape.out_stride, 0, 77.0f);
  RunConvRow(*(rows.end() - 1), c, in, expected);
  const double k = static_cast<double>(c.shape.kernel_h * c.shape.kernel_w * c.shape.group_in());
  ForEachRow(rows, [&](const Row<ConvKernel>& row) {
    if (!row->supports(c.shape)) return;
    SCOPED_TRACE(testing::Message() << c);
    Buffer<float> actual(expected.size(), c.offset, 77.0f);
    RunConvRow(row, c, in, actual);
    ExpectNear(actual.span(), expected.span(), 8e-6 * std::sqrt(k) + 1e-5);
  });
}

}  // namespace pare::kernels
