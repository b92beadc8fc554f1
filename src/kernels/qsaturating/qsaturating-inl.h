// Quantized products whose pairs saturate; compiled per ISA: include after kernels/simd/<isa>.h.
//
// All inputs of a pixel lie in one run, so that neighbours are what they are in the reference, and
// the tile of exact products multiplies them four by four with the instruction that saturates.
#pragma once

#include "kernels/qconv/qconv-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

struct DotPairs {
  static PARE_INLINE I32 Prepare(I32 a) { return a; }
  static PARE_INLINE I32 Step(I32 acc, I32 a, I32 w) {
    return DotS16(acc, MaddU8S8(a, w), Set(int32_t{0x00010001}));
  }
};

// Panels of kLanes channels: [steps][kLanes][4], zeros behind the depth.
struct PairsKind {
  static constexpr int32_t kInputOffset = 0;
  static constexpr int64_t kPanel = kLanes;
  static constexpr int64_t kVectors = 2;

  static int64_t PanelBytes(const QConvShape& s) { return RoundUp(s.depth(), 4) * kLanes; }
  static int64_t GroupBytes(const QConvShape& s) {
    return CeilDiv(s.group_out(), kLanes) * PanelBytes(s);
  }

  static void PackGroup(const QConvShape&, const GroupWeights& w, uint8_t* to) {
    for (int64_t n = 0; n < w.channels; n += kLanes) {
      for (int64_t k = 0; k < w.depth; k += 4) {
        for (int64_t at = 0; at < kLanes * 4; ++at) {
          *to++ = static_cast<uint8_t>(w.Row(n + at / 4)[k + at % 4]);
        }
      }
    }
  }

  static int64_t Vectors(const QConvShape&) { return kVectors; }

  struct Rows {
    static int64_t ScratchBytes(const QConvShape& s) {
      return FlatRows::ScratchBytes(s, MaxRows(1));
    }
    Rows(const QConvArgs& args, int32_t zero_point, void* scratch)
        : flat(args, zero_point, MaxRows(1), scratch) {}
    void Find(int64_t group, Range pixels, TileArgs& tile) {
      tile.rows = flat.Find(group, pixels);
      tile.segments = 1;
      tile.length = flat.length();
    }
    FlatRows flat;
  };

  static void DescribeBlocks(const QConvShape& s, int64_t vectors, TileArgs& tile) {
    tile.panel_bytes = PanelBytes(s);
    tile.block_bytes = vectors * tile.panel_bytes;
  }
  static auto FindTile(int64_t pixels, int64_t vectors) {
    return Tiles<DotPairs, kVectors>::Find(pixels, vectors);
  }
};

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
