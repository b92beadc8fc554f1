#include "kernels/gemm/gemm.h"

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

struct Case {
  GemmShape shape;
  GemmB order = GemmB::kKN;
  int64_t gap = 0;     // between rows of A, C and the residual
  int64_t offset = 0;  // misalignment in floats
  bool bias = true;
  bool residual = false;
  Activation activation = {};
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "m " << c.shape.m << " n " << c.shape.n << " k " << c.shape.k << " order "
             << static_cast<int>(c.order) << " gap " << c.gap << " offset " << c.offset
             << " residual " << c.residual << " act " << static_cast<int>(c.activation.kind);
}

struct Operands {
  explicit Operands(const Case& c)
      : a(c.shape.m * (c.shape.k + c.gap), c.offset),
        b(c.shape.n * c.shape.k, c.offset),
        bias(c.shape.n, c.offset),
        residual(c.shape.m * (c.shape.n + c.gap), c.offset) {
    Random random(static_cast<uint32_t>(c.shape.m * 31 + c.shape.n * 7 + c.shape.k));
    random.fill(a);
    random.fill(b);
    random.fill(bias);
    random.fill(residual);
  }
  Buffer<float> a, b, bias, residual;
};

// Runs tasks one by one, the last first: they must not depend on each other.
void RunRow(const Row<GemmKernel>& row, const Case& c, const Operands& in, Buffer<float>& out) {
  Bytes packed(row->packed_bytes(c.shape)), scratch(row->scratch_bytes(c.shape));
  const int64_t ldb = c.order == GemmB::kKN ? c.shape.n : c.shape.k;
  const int64_t panels = row->panels(c.shape);
  for (int64_t panel = 0; panel < panels; ++panel) {
    row->pack(c.shape, c.order, in.b.data(), ldb, c.bias ? in.bias.data() : nullptr, panel,
              panel + 1, packed.data());
  }
  const GemmArgs args{.shape = c.shape,
                      .a = in.a.data(),
                      .lda = c.shape.k + c.gap,
                      .packed = packed.data(),
                      .residual = c.residual ? in.residual.data() : nullptr,
                      .ldr = c.shape.n + c.gap,
                      .c = out.data(),
                      .ldc = c.shape.n + c.gap,
                      .activation = c.activation};
  for (int64_t task = row->tasks(c.shape) - 1; task >= 0; --task) {
    row->run(args, task, task + 1, scratch.data());
  }
  EXPECT_TRUE(packed.guards_hold() && scratch.guards_hold() && out.guards_hold());
}

const Row<GemmKernel>& Reference() { return *(GemmRows().end() - 1); }

void Check(const Case& c, const Operands& in) {
  Buffer<float> expected(c.shape.m * (c.shape.n + c.gap), 0, 77.0f);
  RunRow(Reference(), c, in, expected);
  ForEachRow(GemmRows(), [&](const Row<GemmKernel>& row) {
    if (!row->supports(c.shape)) return;
    SCOPED_TRACE(testing::Message() << c);
    Buffer<float> actual(expected.size(), c.offset, 77.0f);
    RunRow(row, c, in, actual);
    ExpectNear(actual.span(), expected.span(), 1e-6 * static_cast<double>(c.shape.k + 8));
  });
}
void Check(const Case& c) { Check(c, Operands(c)); }

TEST(Gemm, ReferenceIsTheProduct) {
  const Case c{.shape = {2, 2, 3}, .activation = {.kind = Activation::Kind::kClamp, .lo = 0}};
  Operands in(c);
  for (int i = 0; i < 6; ++i) in.a[i] = static_cast<float>(i), in.b[i] = static_cast<float>(i - 2);
  in.bias[0] = 1, in.bias[1] = -20;
  Buffer<float> out(4);
  RunRow(Reference(), c, in, out);
  ExpectNear(out.span(), std::vector<float>{5, 0, 5, 0}, 0);
}

TEST(Gemm, SizesAroundTheTiles) {
  for (int64_t m : {1, 2, 3, 5, 6, 7, 13, 14, 15, 29}) {
    for (int64_t n : {1, 3, 4, 8, 15, 16, 17, 31, 32, 33, 47, 65}) {
      for (int64_t k : {1, 2, 7, 33}) Check({.shape = {m, n, k}});
    }
  }
}

TEST(Gemm, OrdersGapsAndMisalignment) {
  for (GemmB order : {GemmB::kKN, GemmB::kNK}) {
    for (int64_t gap : {0, 3}) {
      for (int64_t offset : {0, 1, 5}) {
        for (bool residual : {false, true}) {
          Check({.shape = {4, 70, 41}, .order = order, .gap = gap, .offset = offset});
          Check({.shape = {17, 45, 19},
                 .order = order,
                 .gap = gap,
                 .offset = offset,
                 .bias = gap == 0,
                 .residual = residual});
        }
      }
    }
  }
}

TEST(Gemm, Activations) {
  for (const Activation& activation : AllActivations()) {
    Check({.shape = {9, 37, 21}, .gap = 1, .residual = true, .activation = activation});
  }
}

TEST(Gemm, ManyTasks) {
  Check({.shape = {61, 200, 700}});
  Check({.shape = {500, 40, 150}});
}

TEST(Gemm, NothingToDo) {
  Check({.shape = {0, 5, 3}});
  Check({.shape = {5, 0, 3}});
  Check({.shape = {5, 7, 0}, .activation = {.kind = Activation::Kind::kTanh}});
}

// The elementary functions behind the activations, over their whole range.
TEST(Gemm, ActivationsOverTheirRange) {
  for (const Activation& activation : AllActivations()) {
    const Case c{.shape = {500, 33, 1}, .bias = false, .activation = activation};
    Operands in(c);
    for (int i = 0; i < 500; ++i) in.a[i] = static_cast<float>(i - 250) * 0.4f;
    for (int i = 0; i < 33; ++i) in.b[i] = static_cast<float>(i * i) * 1e-3f;
    Buffer<float> expected(c.shape.m * c.shape.n), actual(c.shape.m * c.shape.n);
    RunRow(Reference(), c, in, expected);
    ForEachRow(GemmRows(), [&](const Row<GemmKernel>& row) {
      RunRow(row, c, in, actual);
      for (int64_t i = 0; i < actual.size(); ++i) {
        ASSERT_NEAR(actual[i], expected[i], 2e-6 * std::max(0.1f, std::fabs(expected[i])))
            << "x = " << in.a[i / 33] * in.b[i % 33] << " act "
            << static_cast<int>(activation.kind);
      }
    });
  }
}

TEST(Gemm, SpecialValues) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (const Activation& activation : AllActivations()) {
    const Case c{.shape = {8, 35, 1}, .bias = false, .activation = activation};
    Operands in(c);
    const float specials[] = {0.0f, -0.0f, inf, -inf, nan, 1e30f, -1e30f, 100.0f};
    for (int i = 0; i < 8; ++i) in.a[i] = specials[i];
    for (int i = 0; i < 35; ++i) in.b[i] = 1.0f;
    Check(c, in);
  }
}

TEST(Gemm, FindTakesTheBestThatTheCpuHas) {
  Cpu cpu;
  EXPECT_STREQ(FindGemm(cpu, {64, 64, 64})->name, "gemm_f32_scalar");
#if defined(__x86_64__)
  cpu.isas |= 1u << static_cast<int>(Isa::kAvx2);
  EXPECT_EQ(FindGemm(cpu, {64, 64, 64})->isa, Isa::kAvx2);
  cpu.isas |= 1u << static_cast<int>(Isa::kAvx512);
  EXPECT_EQ(FindGemm(cpu, {64, 64, 64})->isa, Isa::kAvx512);
#endif
}

}  // namespace
}  // namespace pare::kernels
