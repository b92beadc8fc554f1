// Quantized convolution, compiled per ISA: include after kernels/simd/<isa>.h.
//
// The sums start at bias[n] − x_zero_point · Σ w[n, ·], so that the tile multiplies raw bytes.
// Output pixels are cut into tiles; for each, rows-inl.h says where the inputs of each pixel lie,
// and every panel of weights passes by while those inputs stay in the first cache.
#pragma once

#include "kernels/qconv/rows-inl.h"
#include "kernels/qconv/tile-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {
namespace {

// Packed weights of all groups: a header, three arrays of `groups · channels` values, then the
// panels.
struct Header {
  int32_t x_zero_point;
  int32_t has_w_zero_points;
  int32_t wide;  // the rows are widened to s16
  int32_t unused[13];
};

template <class Kind>
struct Packed {
  Packed(const QConvShape& s, const void* packed)
      : channels(Channels(s)),
        header(static_cast<const Header*>(packed)),
        bias(reinterpret_cast<const int32_t*>(header + 1)),
        w_zero_point(bias + s.groups * channels),
        scale(reinterpret_cast<const float*>(w_zero_point + s.groups * channels)),
        weights(static_cast<const uint8_t*>(packed) + WeightsAt(s)) {}

  static int64_t Channels(const QConvShape& s) { return RoundUp(s.group_out(), Kind::kPanel); }
  static int64_t WeightsAt(const QConvShape& s) {
    return RoundUp(int64_t{sizeof(Header)} + 12 * s.groups * Channels(s), kAlignment);
  }
  static int64_t Bytes(const QConvShape& s) {
    return RoundUp(WeightsAt(s) + s.groups * Kind::GroupBytes(s), kAlignment);
  }

  const int64_t channels;  // of a group, rounded up to the panel
  const Header* header;
  const int32_t *bias, *w_zero_point;
  const float* scale;
  const uint8_t* weights;
};

template <typename T>
T* Mutable(const T* p) {
  return const_cast<T*>(p);
}

// The weights of one output channel as the sum sees them; zero beyond the depth.
struct WeightRow {
  const int8_t* first;
  int64_t step, depth;

  int32_t operator[](int64_t k) const { return k < depth ? first[k * step] : 0; }
};

// The weights of one group. Sizes are kept, because the shape divides for them.
struct GroupWeights {
  GroupWeights(const QConvShape& s, const QConvWeights& weights, int64_t group_index)
      : from(weights),
        group(group_index),
        channels(s.group_out()),
        depth(s.depth()),
        all_channels(s.out_c),
        vectors(CeilDiv(channels, kLanes)) {}

  // The channel at a position of the packed arrays, or -1 behind the last.
  int64_t ChannelOf(int64_t position) const {
    const int64_t n = ChannelAt(position, vectors);
    return n < channels ? group * channels + n : -1;
  }
  WeightRow Row(int64_t position) const {
    const int64_t channel = ChannelOf(position);
    if (channel < 0) return {nullptr, 0, 0};
    if (from.transposed) return {from.w + channel, all_channels, depth};
    return {from.w + channel * depth, 1, depth};
  }

  const QConvWeights& from;
  const int64_t group, channels, depth, all_channels, vectors;
};

template <class Kind>
void PackBias(const GroupWeights& w, const Packed<Kind>& p) {
  const QConvWeights& from = w.from;
  for (int64_t n = 0; n < p.channels; ++n) {
    const int64_t to = w.group * p.channels + n, channel = w.ChannelOf(n);
    const WeightRow row = w.Row(n);
    const int32_t zero_point = channel >= 0 && from.w_zero_point ? from.w_zero_point[channel] : 0;
    uint32_t sum = 0;
    for (int64_t k = 0; k < row.depth; ++k) sum += static_cast<uint32_t>(row[k]);
    uint32_t bias = channel >= 0 && from.bias ? static_cast<uint32_t>(from.bias[channel]) : 0;
    bias -= static_cast<uint32_t>(from.x_zero_point - Kind::kInputOffset) * sum;
    bias +=
        static_cast<uint32_t>(from.x_zero_point * zero_point) * static_cast<uint32_t>(row.depth);
    Mutable(p.bias)[to] = static_cast<int32_t>(bias);
    Mutable(p.w_zero_point)[to] = zero_point;
    Mutable(p.scale)[to] = channel >= 0 && from.scale ? from.scale[channel] : 0.0f;
  }
}

template <class Kind>
void PackHead(const QConvShape& s, const QConvWeights& from, void* packed) {
  const Packed<Kind> p(s, packed);
  *Mutable(p.header) = {.x_zero_point = from.x_zero_point,
                        .has_w_zero_points = from.w_zero_point != nullptr,
                        .wide = 0,
                        .unused = {}};
  for (int64_t group = 0; group < s.groups; ++group) PackBias<Kind>({s, from, group}, p);
}

template <class Kind>
void PackQConv(const QConvShape& s, const QConvWeights& from, void* packed) noexcept {
  PackHead<Kind>(s, from, packed);
  const Packed<Kind> p(s, packed);
  for (int64_t group = 0; group < s.groups; ++group) {
    const GroupWeights w(s, from, group);
    Kind::PackGroup(s, w, Mutable(p.weights) + group * Kind::GroupBytes(s));
  }
}

// How the output is cut: pixels into tiles whose sizes differ by at most one, channels into blocks
// of vectors; both into tasks of about a million products.
template <class Kind>
struct Split {
  int64_t vectors, tiles, blocks, tile_tasks, block_tasks;

  explicit Split(const QConvShape& s) {
    constexpr int64_t kTaskProducts = 1 << 20;
    const int64_t panels = CeilDiv(s.group_out(), kLanes);
    vectors = MaxInt(1, MinInt(panels, Kind::Vectors(s)));
    tiles = CeilDiv(s.pixels(), MaxRows(vectors));
    blocks = CeilDiv(panels, vectors);
    const int64_t wanted = CeilDiv(s.pixels() * s.out_c * s.depth(), kTaskProducts);
    tile_tasks = MaxInt(1, MinInt(tiles, wanted));
    block_tasks = MaxInt(1, MinInt(blocks, wanted / tile_tasks));
  }
  int64_t tasks() const { return tiles * blocks > 0 ? tile_tasks * block_tasks : 0; }
};

// One call of run().
template <class Kind>
class Runner {
 public:
  static constexpr int64_t kTileBytes = RoundUp(MaxRows(1) * kMaxVectors * kLanes * 4, kAlignment);
  static constexpr int64_t kSumsBytes = RoundUp(MaxRows(1) * 4, kAlignment);
  static int64_t ScratchBytes(const QConvShape& s) {
    return kTileBytes + kSumsBytes + Kind::Rows::ScratchBytes(s);
  }

  Runner(const QConvArgs& args, void* scratch)
      : args_(args),
        packed_(args.shape, args.packed),
        split_(args.shape),
        group_bytes_(Kind::GroupBytes(args.shape)),
        group_out_(args.shape.group_out()),
        raw_(static_cast<int32_t*>(scratch)),
        sums_(reinterpret_cast<int32_t*>(static_cast<uint8_t*>(scratch) + kTileBytes)),
        rows_(args, packed_.header->x_zero_point,
              static_cast<uint8_t*>(scratch) + kTileBytes + kSumsBytes) {
    const bool direct = args.shape.out == QOut::kU8 && !packed_.header->has_w_zero_points;
    tile_.out = {.raw = direct ? nullptr : raw_,
                 .y = nullptr,
                 .y_stride = args.shape.y_stride(),
                 .residual = nullptr,
                 .r_stride = args.shape.r_stride(),
                 .lo = static_cast<float>(args.lo - args.y_zero_point),
                 .hi = static_cast<float>(args.hi - args.y_zero_point),
                 .lo_byte = args.lo,
                 .y_zero_point = args.y_zero_point,
                 .residual_zero_point = args.residual_zero_point,
                 .residual_scale = args.residual_scale};
    Kind::DescribeBlocks(args.shape, split_.vectors, tile_);
  }

  void Task(int64_t task) {
    const Range blocks = PartOf(split_.blocks, split_.block_tasks, task % split_.block_tasks);
    const Range tiles = PartOf(split_.tiles, split_.tile_tasks, task / split_.block_tasks);
    for (int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
      const Range pixels = PartOf(args_.shape.pixels(), split_.tiles, tile);
      for (int64_t group = 0; group < args_.shape.groups; ++group) Tile(group, pixels, blocks);
    }
  }

 private:
  void Tile(int64_t group, Range pixels, Range blocks) {
    const QConvShape& s = args_.shape;
    rows_.Find(group, pixels, tile_);
    if (packed_.header->has_w_zero_points) SumInputs(group, pixels);
    const uint8_t* weights = packed_.weights + group * group_bytes_;
    const int64_t width = split_.vectors * kLanes;
    for (int64_t block = blocks.begin; block < blocks.end; block += tile_.blocks) {
      const int64_t first = block * width, at = group * packed_.channels + first;
      const int64_t channel = group * group_out_ + first;
      const int64_t left = CeilDiv(group_out_ - first, kLanes);
      const int64_t vectors = MinInt(left, split_.vectors);
      // Blocks that are whole but for the last channels go together.
      const int64_t together = tile_.out.raw ? 1 : MaxInt(1, left / split_.vectors);
      tile_.blocks = MinInt(together, blocks.end - block);
      tile_.channels = MinInt(group_out_ - first, tile_.blocks * width);
      tile_.bias = packed_.bias + at;
      tile_.scale = packed_.scale + at;
      if (s.out == QOut::kU8) {
        tile_.out.y = static_cast<uint8_t*>(args_.y) + pixels.begin * s.y_stride() + channel;
      }
      if (args_.residual) {
        tile_.out.residual = args_.residual + pixels.begin * s.r_stride() + channel;
      }
      tile_.weights = weights + block * tile_.block_bytes;
      Kind::FindTile(pixels.size(), vectors)(tile_);
      if (tile_.out.raw) Finish(pixels, channel, packed_.w_zero_point + at, vectors);
    }
  }

  // Σ x over the inputs of each pixel, for weights with zero points.
  void SumInputs(int64_t group, Range pixels) {
    const QConvShape& s = args_.shape;
    Window window(args_, group, pixels.begin);
    for (int64_t r = 0; r < pixels.size(); ++r, window.Next()) {
      int64_t sum = 0;
      for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
        for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
          const uint8_t* x = window.Tap(ky, kx);
          if (!x) sum += s.group_in() * packed_.header->x_zero_point;
          for (int64_t c = 0; x && c < s.group_in(); ++c) sum += x[c];
        }
      }
      sums_[r] = static_cast<int32_t>(sum);
    }
  }

  // The outputs that tiles don't store themselves: one vector of sums after the other, whose lanes,
  // four by four, belong to neighbouring channels.
  void Finish(Range pixels, int64_t channel, const int32_t* w_zero_point, int64_t vectors) const {
    const QConvShape& s = args_.shape;
    const int64_t bytes = s.out == QOut::kU8 ? 1 : 4;
    for (int64_t r = 0; r < pixels.size(); ++r) {
      const int64_t pixel = (pixels.begin + r) * s.y_stride() + channel;
      uint8_t* y = static_cast<uint8_t*>(args_.y) + pixel * bytes;
      for (int64_t v = 0; v < vectors; ++v) {
        I32 sum = Load(raw_ + (r * vectors + v) * kLanes);
        if (packed_.header->has_w_zero_points) {
          sum = Sub(sum, Mul(Load(w_zero_point + v * kLanes), Set(sums_[r])));
        }
        alignas(kAlignment) uint8_t lanes[kLanes * 4];
        FinishVector(sum, r, v, vectors, lanes);
        for (int64_t i = 0; i < kLanes; i += 4) {
          const int64_t first = ChannelAt(v * kLanes + i, vectors);
          const int64_t count = MinInt(4, tile_.channels - first);
          for (int64_t j = 0; j < count * bytes; ++j) y[first * bytes + j] = lanes[i * bytes + j];
        }
      }
    }
  }

  void FinishVector(I32 sum, int64_t r, int64_t v, int64_t vectors, uint8_t* lanes) const {
    const TileOut& o = tile_.out;
    if (args_.shape.out == QOut::kS32) {
      Store(reinterpret_cast<int32_t*>(lanes), sum);
      return;
    }
    F32 x = Mul(ToFloat(sum), Load(tile_.scale + v * kLanes));
    if (args_.shape.out == QOut::kF32) {
      Store(reinterpret_cast<float*>(lanes), x);
      return;
    }
    if (o.residual) {
      uint8_t residual[kLanes] = {};
      for (int64_t i = 0; i < kLanes; ++i) {
        const int64_t n = ChannelAt(v * kLanes + i, vectors);
        if (n < tile_.channels) residual[i] = o.residual[r * o.r_stride + n];
      }
      const I32 added = Sub(LoadU8(residual), Set(o.residual_zero_point));
      x = Add(x, Mul(ToFloat(added), Set(o.residual_scale)));
    }
    StoreU8(lanes, Add(ToInt(Min(Max(x, Set(o.lo)), Set(o.hi))), Set(o.y_zero_point)));
  }

  const QConvArgs& args_;
  const Packed<Kind> packed_;
  const Split<Kind> split_;
  const int64_t group_bytes_, group_out_;
  int32_t *raw_, *sums_;
  typename Kind::Rows rows_;
  TileArgs tile_{};
};

template <class Kind>
void RunQConv(const QConvArgs& args, int64_t task_begin, int64_t task_end, void* scratch) noexcept {
  Runner<Kind> runner(args, scratch);
  for (int64_t task = task_begin; task < task_end; ++task) runner.Task(task);
}

// Panels of kLanes channels: [segments][steps][kLanes][4], a segment being a row of the window.
// Where a segment is no multiple of 4, its last step holds its last four inputs, those already used
// as zeros (TileArgs). Short segments that are no multiple of 4 (pictures of three colours) are
// copied together instead: the whole window is one segment, and zeros follow it.
template <class Dot>
struct SegmentedKind {
  static constexpr int32_t kInputOffset = Dot::kInputOffset;
  static constexpr int64_t kPanel = kLanes;

  static bool Flat(const QConvShape& s) {
    const int64_t run = s.kernel_w * s.group_in();
    return s.kernel_h > 1 && run % 4 != 0 && run < 64;
  }
  static int64_t Segments(const QConvShape& s) { return Flat(s) ? 1 : s.kernel_h; }
  static int64_t Steps(const QConvShape& s) { return CeilDiv(s.depth() / Segments(s), 4); }
  static int64_t PanelBytes(const QConvShape& s) { return Segments(s) * Steps(s) * kLanes * 4; }
  static int64_t GroupBytes(const QConvShape& s) {
    return CeilDiv(s.group_out(), kLanes) * PanelBytes(s);
  }

  static void PackGroup(const QConvShape& s, const GroupWeights& w, uint8_t* to) {
    const int64_t run = s.depth() / Segments(s), steps = Steps(s);
    const int64_t segments = Segments(s);
    const bool flat = Flat(s);
    for (int64_t n = 0; n < w.channels; n += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) {
        const WeightRow row = w.Row(n + lane);
        uint8_t* at = to + lane * 4;
        for (int64_t segment = 0; segment < segments; ++segment) {
          for (int64_t step = 0; step < steps; ++step, at += kLanes * 4) {
            const int64_t first = step * 4;
            if (row.step == 1 && first + 4 <= run) {
              __builtin_memcpy(at, row.first + segment * run + first, 4);
              continue;
            }
            const int64_t start = run < 4 ? 0 : flat ? first : MinInt(first, run - 4);
            for (int64_t k = start; k < start + 4; ++k) {
              const bool valid = k >= first && k < run;
              at[k - start] = static_cast<uint8_t>(valid ? row[segment * run + k] : 0);
            }
          }
        }
      }
      to += segments * steps * kLanes * 4;
    }
  }

  // Few pixels: wide tiles, or the sums wait for each other.
  static int64_t Vectors(const QConvShape& s) {
    return kLanes == 4 || s.pixels() <= MaxRows(kMaxVectors) ? kMaxVectors : 2;
  }

  class Rows {
   public:
    static int64_t ScratchBytes(const QConvShape& s) {
      return Flat(s) ? FlatRows::ScratchBytes(s, MaxRows(1))
                     : SegmentedRows::ScratchBytes(s, MaxRows(1));
    }
    // Both lie in the same scratch; one of them is used.
    Rows(const QConvArgs& args, int32_t zero_point, void* scratch)
        : use_flat_(Flat(args.shape)),
          flat_(args, zero_point, MaxRows(1), scratch),
          segmented_(args, zero_point, MaxRows(1), scratch) {
      if (!use_flat_) segmented_.FillZeros();
    }
    void Find(int64_t group, Range pixels, TileArgs& tile) {
      if (use_flat_) {
        tile.rows = flat_.Find(group, pixels);
        tile.segments = 1;
        tile.length = flat_.length();
      } else {
        tile.rows = segmented_.Find(group, pixels);
        tile.segments = segmented_.segments();
        tile.length = segmented_.length();
      }
    }

   private:
    const bool use_flat_;
    FlatRows flat_;
    SegmentedRows segmented_;
  };

  static void DescribeBlocks(const QConvShape& s, int64_t vectors, TileArgs& tile) {
    tile.panel_bytes = PanelBytes(s);
    tile.block_bytes = vectors * tile.panel_bytes;
  }
  static auto FindTile(int64_t pixels, int64_t vectors) {
    return Tiles<Dot>::Find(pixels, vectors);
  }
};

template <class Kind>
constexpr QConvKernel MakeQConv() {
  return {.supports = [](const QConvShape&) { return true; },
          .cost = nullptr,
          .packed_bytes = Packed<Kind>::Bytes,
          .pack = PackQConv<Kind>,
          .tasks = [](const QConvShape& s) { return Split<Kind>(s).tasks(); },
          .scratch_bytes = Runner<Kind>::ScratchBytes,
          .run = RunQConv<Kind>};
}

// Four unsigned bytes by four signed ones in one instruction.
#if PARE_SIMD_HAS_DOT_U8S8
struct DotBytesU8S8 {
  static constexpr int32_t kInputOffset = 0;
  static PARE_INLINE I32 Prepare(I32 a) { return a; }
  static PARE_INLINE I32 Step(I32 acc, I32 a, I32 w) { return DotU8S8(acc, a, w); }
};
#endif

// Signed by signed: the inputs are shifted by 128, and the bias takes the shift back.
#if PARE_SIMD_HAS_DOT_S8S8
struct DotBytesS8S8 {
  static constexpr int32_t kInputOffset = 128;
  static PARE_INLINE I32 Prepare(I32 a) { return Xor(a, Set(static_cast<int32_t>(0x80808080u))); }
  static PARE_INLINE I32 Step(I32 acc, I32 a, I32 w) { return DotS8S8(acc, a, w); }
};
#endif

}  // namespace
}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
