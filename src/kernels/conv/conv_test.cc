#include "kernels/conv/conv.h"

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

struct Case {
  ConvShape shape;
  int64_t offset = 0;  // misalignment in floats
  bool bias = true;
  bool residual = false;
  Activation activation = {};
};

// A square kernel with `same`-like padding and dense tensors.
ConvShape Square(int64_t size, int64_t in_c, int64_t out_c, int64_t kernel, int64_t stride = 1,
                 int64_t groups = 1, int64_t dilation = 1) {
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

std::ostream& operator<<(std::ostream& out, const Case& c) {
  const ConvShape& s = c.shape;
  return out << s.batch << "x" << s.in_h << "x" << s.in_w << "x" << s.in_c << " -> " << s.out_h
             << "x" << s.out_w << "x" << s.out_c << " kernel " << s.kernel_h << "x" << s.kernel_w
             << " stride " << s.stride_h << " dilation " << s.dilation_h << " groups " << s.groups
             << " act " << static_cast<int>(c.activation.kind);
}

struct Operands {
  explicit Operands(const Case& c)
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
void RunRow(const Row<ConvKernel>& row, const Case& c, const Operands& in, Buffer<float>& out) {
  Bytes packed(row->packed_bytes(c.shape)), scratch(row->scratch_bytes(c.shape));
  row->pack(c.shape, in.weights.data(), c.bias ? in.bias.data() : nullptr, packed.data());
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

const Row<ConvKernel>& Reference() { return *(ConvRows().end() - 1); }

void Check(const Case& c) {
  const Operands in(c);
  Buffer<float> expected(c.shape.pixels() * c.shape.out_stride, 0, 77.0f);
  RunRow(Reference(), c, in, expected);
  const double k = static_cast<double>(c.shape.kernel_h * c.shape.kernel_w * c.shape.group_in());
  ForEachRow(ConvRows(), [&](const Row<ConvKernel>& row) {
    if (!row->supports(c.shape)) return;
    SCOPED_TRACE(testing::Message() << c);
    Buffer<float> actual(expected.size(), c.offset, 77.0f);
    RunRow(row, c, in, actual);
    ExpectNear(actual.span(), expected.span(), 2e-6 * std::sqrt(k) * 4 + 1e-5);
  });
}

TEST(Conv, ReferenceIsTheSum) {
  // A line of 3 pixels, 3 taps, padding 1.
  ConvShape s;
  s.in_w = s.out_w = 3, s.kernel_w = 3, s.pad_left = 1;
  const Case c{.shape = s};
  Operands in(c);
  for (int i = 0; i < 3; ++i)
    in.x[i] = static_cast<float>(i + 1), in.weights[i] = static_cast<float>(i);
  in.bias[0] = 10;
  Buffer<float> out(3);
  RunRow(Reference(), c, in, out);
  ExpectNear(out.span(), std::vector<float>{15, 18, 13}, 0);
}

TEST(Conv, KernelsStridesAndChannels) {
  for (int64_t kernel : {1, 2, 3, 5, 7}) {
    for (int64_t stride : {1, 2, 3}) {
      for (int64_t in_c : {1, 3, 16, 33}) {
        for (int64_t out_c : {1, 16, 31, 40})
          Check({.shape = Square(9, in_c, out_c, kernel, stride)});
      }
    }
  }
}

TEST(Conv, GroupsAndDilation) {
  for (int64_t groups : {1, 2, 4}) {
    for (int64_t dilation : {1, 2, 3}) {
      Check({.shape = Square(10, 8, 12, 3, 1, groups, dilation)});
      Check({.shape = Square(10, 64, 136, 3, 2, groups, dilation)});
    }
  }
}

TEST(Conv, StridesBetweenPixelsBatchAndMisalignment) {
  for (int64_t kernel : {1, 3}) {
    for (int64_t offset : {0, 1, 3}) {
      ConvShape s = Square(7, 12, 20, kernel);
      s.batch = 3;
      s.in_stride = 17, s.out_stride = 27, s.residual_stride = 21;
      Check({.shape = s, .offset = offset, .bias = false, .residual = true});
      Check({.shape = s, .offset = offset, .bias = true, .residual = false});
    }
  }
}

TEST(Conv, OneDimension) {
  ConvShape s = Square(40, 3, 18, 5);
  s.in_h = s.out_h = s.kernel_h = 1, s.pad_top = 0;
  Check({.shape = s});
}

TEST(Conv, AsymmetricPadding) {
  ConvShape s = Square(8, 4, 8, 3, 2);
  s.pad_top = s.pad_left = 0;
  Check({.shape = s});
  s.pad_top = 2, s.pad_left = 1;
  Check({.shape = s});
}

TEST(Conv, Activations) {
  for (const Activation& activation : AllActivations()) {
    Check({.shape = Square(6, 5, 21, 3), .residual = true, .activation = activation});
  }
}

TEST(Conv, ThreeByThreeWithManyChannels) {
  for (int64_t size : {1, 4, 5, 7, 14}) {
    for (int64_t channels : {64, 72}) {
      Check({.shape = Square(size, channels, channels + 5, 3), .residual = size == 5});
    }
  }
  ConvShape s = Square(9, 64, 70, 3);
  s.batch = 2, s.pad_top = 0, s.pad_left = 2, s.out_h -= 2, s.out_w += 2;
  s.in_stride = 67, s.out_stride = 73, s.residual_stride = 71;
  Check(
      {.shape = s, .offset = 1, .residual = true, .activation = {.kind = Activation::Kind::kSilu}});
}

TEST(Conv, NothingToDo) {
  ConvShape s = Square(4, 3, 5, 3);
  s.batch = 0;
  Check({.shape = s});
}

}  // namespace
}  // namespace pare::kernels
