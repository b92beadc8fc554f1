#include "kernels/attention/attention.h"

#include "kernels/table.h"
#include "kernels/testing.h"

namespace pare::kernels {
namespace {

enum class Mask { kNone, kKeys, kFull };  // [batch, k_len] or [batch, heads, q_len, k_len]
enum class Layout {
  kHeadsFirst,
  kHeadsLast
};  // [batch, heads, length, d] or [batch, length, heads, d]

struct Case {
  AttentionShape shape;
  Mask mask = Mask::kNone;
  Layout layout = Layout::kHeadsFirst;
  int64_t offset = 0;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.shape.batch << "x" << c.shape.heads << " q " << c.shape.q_len << " k "
             << c.shape.k_len << " d " << c.shape.d << " dv " << c.shape.dv << " mask "
             << static_cast<int>(c.mask);
}

AttentionStrides StridesOf(const Case& c, int64_t length, int64_t d) {
  const int64_t heads = c.shape.heads;
  if (c.layout == Layout::kHeadsFirst) return {heads * length * d, length * d, d};
  return {heads * length * d, d, heads * d};
}

AttentionStrides MaskStrides(const Case& c) {
  const AttentionShape& s = c.shape;
  if (c.mask == Mask::kKeys) return {s.k_len, 0, 0};
  return {s.heads * s.q_len * s.k_len, s.q_len * s.k_len, s.k_len};
}

struct Operands {
  explicit Operands(const Case& c)
      : q(c.shape.batch * c.shape.heads * c.shape.q_len * c.shape.d, c.offset),
        k(c.shape.batch * c.shape.heads * c.shape.k_len * c.shape.d, c.offset),
        v(c.shape.batch * c.shape.heads * c.shape.k_len * c.shape.dv, c.offset),
        mask(c.shape.batch * c.shape.heads * c.shape.q_len * c.shape.k_len, c.offset) {
    Random random(static_cast<uint32_t>(q.size() + k.size()));
    random.fill(q, -3, 3);
    random.fill(k, -3, 3);
    random.fill(v);
    for (int64_t i = 0; i < mask.size(); ++i) mask[i] = random.integer(0, 3) ? 0.0f : -3e38f;
  }
  Buffer<float> q, k, v, mask;
};

void RunRow(const Row<AttentionKernel>& row, const Case& c, const Operands& in,
            Buffer<float>& out) {
  const AttentionShape& s = c.shape;
  Bytes scratch(row->scratch_bytes(s));
  const AttentionArgs args{.shape = s,
                           .scale = 0.3f,
                           .q = in.q.data(),
                           .k = in.k.data(),
                           .v = in.v.data(),
                           .mask = c.mask == Mask::kNone ? nullptr : in.mask.data(),
                           .y = out.data(),
                           .q_strides = StridesOf(c, s.q_len, s.d),
                           .k_strides = StridesOf(c, s.k_len, s.d),
                           .v_strides = StridesOf(c, s.k_len, s.dv),
                           .mask_strides = MaskStrides(c),
                           .y_strides = StridesOf(c, s.q_len, s.dv)};
  for (int64_t task = row->tasks(s) - 1; task >= 0; --task) {
    row->run(args, task, task + 1, scratch.data());
  }
  EXPECT_TRUE(scratch.guards_hold() && out.guards_hold());
}

const Row<AttentionKernel>& Reference() { return *(AttentionRows().end() - 1); }

void Check(const Case& c, const Operands& in) {
  const AttentionShape& s = c.shape;
  Buffer<float> expected(s.batch * s.heads * s.q_len * s.dv, 0, 77.0f);
  RunRow(Reference(), c, in, expected);
  ForEachRow(AttentionRows(), [&](const Row<AttentionKernel>& row) {
    SCOPED_TRACE(testing::Message() << c);
    Buffer<float> actual(expected.size(), c.offset, 77.0f);
    RunRow(row, c, in, actual);
    ExpectNear(actual.span(), expected.span(), 2e-5);
  });
}
void Check(const Case& c) { Check(c, Operands(c)); }

TEST(Attention, ReferenceWeighsValues) {
  // Scores 0 and ln 3 / 0.3 · 0.3: weights 1/4 and 3/4.
  const Case c{.shape = {1, 1, 1, 2, 1, 1}};
  Operands in(c);
  in.q[0] = 1, in.k[0] = 0, in.k[1] = std::log(3.0f) / 0.3f, in.v[0] = 4, in.v[1] = 8;
  Buffer<float> out(1);
  RunRow(Reference(), c, in, out);
  EXPECT_NEAR(out[0], 7.0f, 1e-6f);
}

TEST(Attention, SizesAroundTheTiles) {
  for (int64_t q : {1, 5, 14, 15, 40}) {
    for (int64_t k : {1, 7, 16, 33, 65}) {
      for (int64_t d : {1, 8, 33}) Check({.shape = {1, 2, q, k, d, d + 3}});
    }
  }
}

TEST(Attention, MasksLayoutsAndMisalignment) {
  for (Mask mask : {Mask::kNone, Mask::kKeys, Mask::kFull}) {
    for (Layout layout : {Layout::kHeadsFirst, Layout::kHeadsLast}) {
      for (int64_t offset : {0, 3}) {
        Check({.shape = {2, 3, 19, 37, 16, 16}, .mask = mask, .layout = layout, .offset = offset});
      }
    }
  }
}

TEST(Attention, LongSequencesAreSeveralTasks) {
  Check({.shape = {1, 1, 520, 130, 16, 8}, .mask = Mask::kKeys});
}

TEST(Attention, LargeScoresDontOverflow) {
  const Case c{.shape = {1, 1, 3, 20, 4, 4}};
  Operands in(c);
  for (int64_t i = 0; i < in.q.size(); ++i) in.q[i] *= 1000;
  Check(c, in);
}

}  // namespace
}  // namespace pare::kernels
