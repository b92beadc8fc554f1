// Exact quantized products without a byte dot product; compiled per ISA: include after
// kernels/simd/<isa>.h.
//
// Wide: inputs and weights as s16, two products and their sum in one instruction. Always exact.
#pragma once

#include "kernels/qconv/qconv-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

struct DotHalves16 {
  static PARE_INLINE I32 Prepare(I32 a) { return a; }
  static PARE_INLINE I32 Step(I32 acc, I32 a, I32 w) { return DotS16(acc, a, w); }
};

inline void WidenBytes(int16_t* to, const uint8_t* from, int64_t n) {
  constexpr int64_t kHalves = kLanes * 2;
  for (; n >= kHalves; n -= kHalves, from += kHalves, to += kHalves) StoreBytes(to, WidenU8(from));
  for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  if (n % 2 != 0) to[n] = 0;
}

// Panels of kLanes channels: [steps][kLanes][2] s16.
struct WideKind {
  static constexpr int32_t kInputOffset = 0;
  static constexpr int64_t kPanel = kLanes;

  static int64_t Steps(const QConvShape& s) { return CeilDiv(s.depth(), 2); }
  static int64_t PanelBytes(const QConvShape& s) { return Steps(s) * kLanes * 4; }
  static int64_t GroupBytes(const QConvShape& s) {
    return CeilDiv(s.group_out(), kLanes) * PanelBytes(s);
  }

  static void PackGroup(const QConvShape& s, const GroupWeights& w, uint8_t* packed) {
    const int64_t panel = Steps(s) * kLanes * 2;
    auto* to = reinterpret_cast<int16_t*>(packed);
    for (int64_t n = 0; n < w.channels; n += kLanes, to += panel) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const WeightRow row = w.Row(n + lane);
        int16_t* at = to + lane * 2;
        for (int64_t k = 0; k < w.depth; k += 2, at += kLanes * 2) {
          at[0] = static_cast<int16_t>(row[k]);
          at[1] = static_cast<int16_t>(row[k + 1]);
        }
      }
    }
  }

  static constexpr int64_t kVectors = kLanes == 4 ? 4 : 2;
  static int64_t Vectors(const QConvShape&) { return kVectors; }

  class Rows {
   public:
    static int64_t RowHalves(const QConvShape& s) { return RoundUp(s.depth(), 2); }
    static int64_t ScratchBytes(const QConvShape& s) {
      return FlatRows::ScratchBytes(s, MaxRows(1)) +
             RoundUp(RowHalves(s) * 2 * MaxRows(1), kAlignment);
    }
    Rows(const QConvArgs& args, int32_t zero_point, void* scratch)
        : depth_(args.shape.depth()),
          flat_(args, zero_point, MaxRows(1), scratch),
          wide_(reinterpret_cast<int16_t*>(static_cast<uint8_t*>(scratch) +
                                           FlatRows::ScratchBytes(args.shape, MaxRows(1)))) {}
    void Find(int64_t group, Range pixels, TileArgs& tile) {
      const int64_t halves = RoundUp(depth_, 2);
      const uint8_t** rows = flat_.Find(group, pixels);
      for (int64_t r = 0; r < pixels.size(); ++r) {
        int16_t* wide = wide_ + r * halves;
        WidenBytes(wide, rows[r], depth_);
        rows[r] = reinterpret_cast<const uint8_t*>(wide);
      }
      tile.rows = rows;
      tile.segments = 1;
      tile.length = halves * 2;
    }

   private:
    const int64_t depth_;
    FlatRows flat_;
    int16_t* wide_;
  };

  static void DescribeBlocks(const QConvShape& s, int64_t vectors, TileArgs& tile) {
    tile.panel_bytes = PanelBytes(s);
    tile.block_bytes = vectors * tile.panel_bytes;
  }
  static auto FindTile(int64_t pixels, int64_t vectors) {
    return Tiles<DotHalves16, kVectors>::Find(pixels, vectors);
  }
};

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
