// Exact quantized products by instructions that saturate; compiled per ISA: include after
// kernels/simd/<isa>.h.
//
// MaddU8S8 multiplies bytes and adds two products in 16 bits, where 255 · 127 · 2 does not fit. But
// weights are known when they are packed: a pair of them is safe if 255 times its positive part and
// 255 times its negative part fit, |w0 + w1| <= 128 where the signs agree. So the weights of a
// block of channels are sorted, four inputs (a group) at a time, into lists by what all of its
// channels allow:
//   shared    two groups whose sums fit in 16 bits even when added: one widening serves both
//   single    the group's two pairs are safe, its inputs taken in one of three orders
//   wide      neither order is safe: 16-bit products
// Every entry carries the offset of its inputs, so that the depth doesn't grow.
#pragma once

#include "kernels/qconv/wide-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

constexpr int64_t kMixedVectors = 2;
constexpr int kOrders = 3;
// kOrder[o]: which inputs of a group form its pairs.
constexpr int kOrder[kOrders][4] = {{0, 1, 2, 3}, {0, 2, 1, 3}, {0, 3, 1, 2}};

// A block of channels: this header, the offsets in the order of the lists, then their weights.
struct MixedBlock {
  int32_t shared;  // pairs of groups
  int32_t single[kOrders];
  int32_t wide;
  int32_t weights;  // bytes from here to the first weights

  const uint16_t* offsets() const { return reinterpret_cast<const uint16_t*>(this + 1); }
  const uint8_t* first() const { return reinterpret_cast<const uint8_t*>(this) + weights; }
};

PARE_INLINE I32 WidePair(I32 a) { return And(a, Set(int32_t{0x00ff00ff})); }

template <int kVectors>
PARE_INLINE void LoadWeights(I32 (&b)[kVectors], const uint8_t*& w) {
  PARE_UNROLL for (int v = 0; v < kVectors; ++v) b[v] = LoadBytes(w + v * kLanes * 4);
  w += kVectors * kLanes * 4;
}

template <int kRows, int kVectors>
PARE_INLINE void SharedStep(I32 (&acc)[kRows][kVectors], const uint8_t* const (&row)[kRows],
                            const uint16_t* at, const uint8_t* w) {
  const I32 ones = Set(int32_t{0x00010001});
  PARE_UNROLL for (int r = 0; r < kRows; ++r) {
    const I32 a0 = Broadcast4(row[r] + at[0]), a1 = Broadcast4(row[r] + at[1]);
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
      const I32 w0 = LoadBytes(w + v * kLanes * 4);
      const I32 w1 = LoadBytes(w + (kVectors + v) * kLanes * 4);
      acc[r][v] = DotS16(acc[r][v], AddS16(MaddU8S8(a0, w0), MaddU8S8(a1, w1)), ones);
    }
  }
}

template <int kOrderIndex, int kRows, int kVectors>
PARE_INLINE void SingleStep(I32 (&acc)[kRows][kVectors], const uint8_t* const (&row)[kRows],
                            int64_t at, const uint8_t* w) {
  constexpr const int(&order)[4] = kOrder[kOrderIndex];
  const I32 ones = Set(int32_t{0x00010001});
  PARE_UNROLL for (int r = 0; r < kRows; ++r) {
    I32 a = Broadcast4(row[r] + at);
    if constexpr (kOrderIndex != 0) a = PermuteBytes<order[0], order[1], order[2], order[3]>(a);
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
      acc[r][v] = DotS16(acc[r][v], MaddU8S8(a, LoadBytes(w + v * kLanes * 4)), ones);
    }
  }
}

template <int kRows, int kVectors>
PARE_INLINE void WideStep(I32 (&acc)[kRows][kVectors], const uint8_t* const (&row)[kRows],
                          int64_t at, const uint8_t* w) {
  PARE_UNROLL for (int r = 0; r < kRows; ++r) {
    const I32 a = Broadcast4(row[r] + at);
    const I32 even = WidePair(a), odd = WidePair(ShiftRightLogical<8>(a));
    PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
      acc[r][v] = DotS16(acc[r][v], even, LoadBytes(w + v * kLanes * 4));
      acc[r][v] = DotS16(acc[r][v], odd, LoadBytes(w + (kVectors + v) * kLanes * 4));
    }
  }
}

template <int kOrderIndex, int kRows, int kVectors>
PARE_INLINE void SingleSteps(I32 (&acc)[kRows][kVectors], const uint8_t* const (&row)[kRows],
                             int32_t count, const uint16_t*& at, const uint8_t*& w) {
  for (; count > 0; --count, ++at, w += kVectors * kLanes * 4) {
    SingleStep<kOrderIndex>(acc, row, *at, w);
  }
}

// args.weights is the MixedBlock.
struct MixedLists {};
template <int kRows, int kVectors>
PARE_INLINE void RunBlock(MixedLists, const TileArgs& args) {
  const auto& block = *reinterpret_cast<const MixedBlock*>(args.weights);
  I32 acc[kRows][kVectors];
  PARE_UNROLL for (int v = 0; v < kVectors; ++v) {
    const I32 bias = Load(args.bias + v * kLanes);
    PARE_UNROLL for (int r = 0; r < kRows; ++r) acc[r][v] = bias;
  }
  const uint8_t* row[kRows];
  PARE_UNROLL for (int r = 0; r < kRows; ++r) row[r] = args.rows[r];
  const uint16_t* at = block.offsets();
  const uint8_t* w = block.first();
  for (int32_t i = block.shared; i > 0; --i, at += 2, w += 2 * kVectors * kLanes * 4) {
    SharedStep(acc, row, at, w);
  }
  SingleSteps<0>(acc, row, block.single[0], at, w);
  SingleSteps<1>(acc, row, block.single[1], at, w);
  SingleSteps<2>(acc, row, block.single[2], at, w);
  for (int32_t i = block.wide; i > 0; --i, ++at, w += 2 * kVectors * kLanes * 4) {
    WideStep(acc, row, *at, w);
  }
  StoreTile(acc, args);
}

// Sorts the groups of one block of channels into its lists. The end of the block notes each group's
// list.
class MixedPacker {
 public:
  static int64_t WeightsAt(int64_t groups) {
    return RoundUp(int64_t{sizeof(MixedBlock)} + 2 * groups, kAlignment);
  }
  // The bytes of a block at most: all of it wide.
  static int64_t Bytes(int64_t groups, int64_t width) {
    return RoundUp(WeightsAt(groups) + groups * (width * 8 + 1), kAlignment);
  }

  MixedPacker(const QConvShape& s, const GroupWeights& w, int64_t first, int64_t width, uint8_t* to)
      : width_(width),
        groups_(CeilDiv(s.depth(), 4)),
        block_(*reinterpret_cast<MixedBlock*>(to)),
        offset_(reinterpret_cast<uint16_t*>(&block_ + 1)),
        to_(reinterpret_cast<int8_t*>(to) + WeightsAt(groups_)),
        list_(to + Bytes(groups_, width) - groups_),
        sums_(reinterpret_cast<uint8_t*>(to_) + groups_ * SumBytes()) {
    for (int64_t n = 0; n < width; ++n) rows_[n] = w.Row(first + n);
  }

  // Returns the estimated instructions for a row and a vector; a group of the wide kind
  // (wide-inl.h) has 4.
  double Pack() {
    block_ = {
        .shared = 0, .single = {}, .wide = 0, .weights = static_cast<int32_t>(WeightsAt(groups_))};
    for (int64_t g = 0; g < groups_; ++g) list_[g] = static_cast<uint8_t>(SafeOrder(g));
    for (int64_t g = 0; g < groups_; ++g) {
      if (list_[g] != 0) continue;
      const int64_t partner = Partner(g);
      if (partner < 0) continue;
      PackBytes(g, 0);
      PackBytes(partner, 0);
      list_[g] = list_[partner] = kDone;
      ++block_.shared;
    }
    for (int order = 0; order < kOrders; ++order) {
      for (int64_t g = 0; g < groups_; ++g) {
        if (list_[g] != order) continue;
        PackBytes(g, order);
        ++block_.single[order];
      }
    }
    for (int64_t g = 0; g < groups_; ++g) {
      if (list_[g] != kOrders) continue;
      PackHalves(g);
      ++block_.wide;
    }
    return 5.0 * block_.shared + 3.0 * block_.single[0] +
           3.5 * (block_.single[1] + block_.single[2]) + 5.5 * block_.wide;
  }

 private:
  static constexpr uint8_t kDone = 255;
  static constexpr int64_t kCandidates = 16;
  static constexpr uint32_t kMostSum = 128;  // 255 · 128 fits in 16 bits, 255 · 129 does not

  static constexpr int64_t kChannels = kMixedVectors * kLanes;
  using Words = uint32_t[kChannels];  // four bytes a channel: of the group's inputs

  // A channel's weights of the group's inputs.
  uint32_t Read(int64_t n, int64_t group) const {
    const WeightRow& row = rows_[n];
    uint32_t word = 0;
    if (row.step == 1 && group * 4 + 4 <= row.depth) {
      __builtin_memcpy(&word, row.first + group * 4, sizeof word);
    } else {
      for (int i = 0; i < 4; ++i) word |= uint32_t(uint8_t(row[group * 4 + i])) << (8 * i);
    }
    return word;
  }
  static uint32_t Byte(uint32_t word, int i) { return word >> (8 * i) & 0xff; }

  // Byte by byte the positive parts, and the magnitudes of the negative ones.
  void Split(int64_t group, Words& positive, Words& negative) const {
    for (int64_t n = 0; n < width_; ++n) positive[n] = Read(n, group);
    for (int64_t n = 0; n < kChannels; ++n) {
      const uint32_t word = positive[n], signs = word >> 7 & 0x01010101, mask = signs * 0xff;
      positive[n] = word & ~mask;
      negative[n] = ((word ^ mask) + signs) & mask;  // ~b + 1 <= 128: no carry
    }
  }

  template <int kOrderIndex>
  static bool PairsFit(const Words& words) {
    constexpr const int(&order)[4] = kOrder[kOrderIndex];
    uint32_t beyond = 0;
    for (int64_t n = 0; n < kChannels; ++n) {
      const uint32_t a = Byte(words[n], order[0]) + Byte(words[n], order[1]);
      const uint32_t b = Byte(words[n], order[2]) + Byte(words[n], order[3]);
      beyond |= uint32_t{a > kMostSum} | uint32_t{b > kMostSum};
    }
    return beyond == 0;
  }

  // Of a group of list 0: of the positive parts the sums of both pairs, two bytes a channel, then
  // those of the negative ones. They lie where wide groups may come to lie, which are packed when
  // all lists are known.
  int64_t SumBytes() const { return 4 * width_; }
  uint8_t* Sums(int64_t group) const { return sums_ + group * SumBytes(); }
  void NoteSums(const Words& words, uint8_t* to) const {
    for (int64_t n = 0; n < width_; ++n, to += 2) {
      to[0] = static_cast<uint8_t>(Byte(words[n], 0) + Byte(words[n], 1));
      to[1] = static_cast<uint8_t>(Byte(words[n], 2) + Byte(words[n], 3));
    }
  }

  // The first order whose pairs are safe for all channels, or kOrders.
  int SafeOrder(int64_t group) {
    Words positive = {}, negative = {};
    Split(group, positive, negative);
    if (PairsFit<0>(positive) && PairsFit<0>(negative)) {
      NoteSums(positive, Sums(group));
      NoteSums(negative, Sums(group) + 2 * width_);
      return 0;
    }
    if (PairsFit<1>(positive) && PairsFit<1>(negative)) return 1;
    return PairsFit<2>(positive) && PairsFit<2>(negative) ? 2 : kOrders;
  }

  // A later group of list 0 whose products may be added to those of `group` in 16 bits, or -1.
  int64_t Partner(int64_t group) const {
    uint8_t most[4 * kChannels];  // what each sum of the other may be
    for (int64_t i = 0; i < SumBytes(); ++i)
      most[i] = static_cast<uint8_t>(kMostSum - Sums(group)[i]);
    int64_t tried = 0;
    for (int64_t g = group + 1; g < groups_ && tried < kCandidates; ++g) {
      if (list_[g] != 0) continue;
      ++tried;
      if (AllWithin(Sums(g), most)) return g;
    }
    return -1;
  }

  bool AllWithin(const uint8_t* sums, const uint8_t* most) const {
    constexpr int kStep = 4 * kLanes;
    for (int64_t at = 0; at < SumBytes(); at += kStep) {
      uint8_t beyond = 0;
      for (int i = 0; i < kStep; ++i) beyond |= sums[at + i] > most[at + i];
      if (beyond) return false;
    }
    return true;
  }

  void PackBytes(int64_t group, int order) {
    *offset_++ = static_cast<uint16_t>(group * 4);
    for (int64_t n = 0; n < width_; ++n, to_ += 4) {
      const uint32_t word = Read(n, group);
      for (int i = 0; i < 4; ++i) to_[i] = static_cast<int8_t>(Byte(word, kOrder[order][i]));
    }
  }

  void PackHalves(int64_t group) {
    *offset_++ = static_cast<uint16_t>(group * 4);
    auto* to = reinterpret_cast<int16_t*>(to_);
    for (int odd = 0; odd < 2; ++odd) {
      for (int64_t n = 0; n < width_; ++n) {
        const uint32_t word = Read(n, group);
        *to++ = static_cast<int8_t>(Byte(word, odd));
        *to++ = static_cast<int8_t>(Byte(word, odd + 2));
      }
    }
    to_ = reinterpret_cast<int8_t*>(to);
  }

  WeightRow rows_[kChannels];
  const int64_t width_, groups_;
  MixedBlock& block_;
  uint16_t* offset_;
  int8_t* to_;
  uint8_t* list_;
  uint8_t* sums_;
};

// Blocks of kMixedVectors vectors of channels, the last perhaps narrower; each as long as a wide
// one would be.
struct MixedKind {
  static constexpr int32_t kInputOffset = 0;
  static constexpr int64_t kPanel = kLanes;
  static constexpr int64_t kWidth = kMixedVectors * kLanes;

  static int64_t GroupsOf(const QConvShape& s) { return CeilDiv(s.depth(), 4); }
  static int64_t GroupBytes(const QConvShape& s) {
    return CeilDiv(s.group_out(), kWidth) * MixedPacker::Bytes(GroupsOf(s), kWidth);
  }
  static int64_t BlockWidth(const QConvShape& s, int64_t block) {
    return RoundUp(MinInt(kWidth, s.group_out() - block * kWidth), kLanes);
  }
  // Offsets have 16 bits.
  static bool Supports(const QConvShape& s) { return s.depth() <= 65532; }

  // Returns the estimated instructions, as MixedPacker does.
  static double PackGroup(const QConvShape& s, const GroupWeights& w, uint8_t* to) {
    double cost = 0;
    for (int64_t block = 0; block < CeilDiv(s.group_out(), kWidth); ++block) {
      const int64_t width = BlockWidth(s, block);
      cost += MixedPacker(s, w, block * kWidth, width, to).Pack() * static_cast<double>(width);
      to += MixedPacker::Bytes(GroupsOf(s), kWidth);
    }
    return cost;
  }

  static int64_t Vectors(const QConvShape&) { return kMixedVectors; }

  struct Rows {
    static int64_t ScratchBytes(const QConvShape& s) {
      return FlatRows::ScratchBytes(s, MaxRows(1));
    }
    Rows(const QConvArgs& args, int32_t zero_point, void* scratch)
        : flat(args, zero_point, MaxRows(1), scratch) {}
    void Find(int64_t group, Range pixels, TileArgs& tile) { tile.rows = flat.Find(group, pixels); }
    FlatRows flat;
  };

  static void DescribeBlocks(const QConvShape& s, int64_t, TileArgs& tile) {
    tile.block_bytes = MixedPacker::Bytes(GroupsOf(s), kWidth);
  }
  static auto FindTile(int64_t pixels, int64_t vectors) {
    return Tiles<MixedLists, kMixedVectors>::Find(pixels, vectors);
  }
};

// One row serves both kinds: the choice is made when packing, and both find their weights in the
// same place.
template <class Kind>
struct Either : Kind {
  static int64_t GroupBytes(const QConvShape& s) {
    return MaxInt(WideKind::GroupBytes(s), MixedKind::GroupBytes(s));
  }
};

// Mixed where its lists are estimated to take fewer instructions than 16-bit products alone.
inline void PackWideOrMixed(const QConvShape& s, const QConvWeights& from, void* packed) noexcept {
  using Mixed = Either<MixedKind>;
  PackHead<Mixed>(s, from, packed);
  const Packed<Mixed> p(s, packed);
  double mixed = 0;
  for (int64_t group = 0; MixedKind::Supports(s) && group < s.groups; ++group) {
    const GroupWeights w(s, from, group);
    mixed += MixedKind::PackGroup(s, w, Mutable(p.weights) + group * Mixed::GroupBytes(s));
  }
  const double wide = static_cast<double>(s.groups * p.channels * CeilDiv(s.depth(), 4)) * 4.0;
  if (MixedKind::Supports(s) && mixed < wide) return;
  Mutable(p.header)->wide = 1;
  for (int64_t group = 0; group < s.groups; ++group) {
    const GroupWeights w(s, from, group);
    WideKind::PackGroup(s, w, Mutable(p.weights) + group * Mixed::GroupBytes(s));
  }
}

inline void RunWideOrMixed(const QConvArgs& args, int64_t task_begin, int64_t task_end,
                           void* scratch) noexcept {
  if (static_cast<const Header*>(args.packed)->wide) {
    RunQConv<Either<WideKind>>(args, task_begin, task_end, scratch);
  } else {
    RunQConv<Either<MixedKind>>(args, task_begin, task_end, scratch);
  }
}

constexpr QConvKernel MakeWideOrMixedQConv() {
  static_assert(kMixedVectors == WideKind::kVectors);
  return {.supports = [](const QConvShape&) { return true; },
          .cost = nullptr,
          .packed_bytes = Packed<Either<WideKind>>::Bytes,
          .pack = PackWideOrMixed,
          .tasks = [](const QConvShape& s) { return Split<Either<WideKind>>(s).tasks(); },
          .scratch_bytes =
              [](const QConvShape& s) {
                return MaxInt(Runner<Either<WideKind>>::ScratchBytes(s),
                              Runner<Either<MixedKind>>::ScratchBytes(s));
              },
          .run = RunWideOrMixed};
}

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
