// Winograd's F(4×4, 3×3) for 3×3 convolutions of stride 1, compiled per ISA: include after
// kernels/simd/<isa>.h. (A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks",
// 2015.)
//
// The output is cut into tiles of 4×4, each made of 6×6 input pixels d. With constant matrices A,
// B, G
//   y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A,
// and the sum over input channels turns the elementwise product into 36 matrix products [tiles,
// in_c] · [in_c, out_c], 2.25 multiplications an output instead of 9. A task transforms the inputs
// of its tiles, then for each panel of output channels runs the 36 products and transforms them
// back, so that both stay in the second cache.
#pragma once

#include "kernels/conv/conv.h"
#include "kernels/conv/winograd_transforms-inl.h"
#include "kernels/gemm/tile-inl.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

template <typename T>
struct WinogradConv {
  static constexpr int64_t kMinChannels = 4;  // below, the transforms never pay

  static bool Supports(const ConvShape& s) {
    return s.kernel_h == 3 && s.kernel_w == 3 && s.stride_h == 1 && s.stride_w == 1 &&
           s.dilation_h == 1 && s.dilation_w == 1 && s.groups == 1 && s.in_c >= kMinChannels &&
           s.out_c >= kMinChannels;
  }

  // How a shape is cut: tasks own some tiles and some panels. Panels are split only as far as the
  // repeated transform of the inputs stays small.
  struct Plan {
    int64_t tiles_h, tiles_w, tiles, tile_blocks, panels, panel_blocks;
    int64_t block;  // the most tiles of a task
    // In floats: from one row to the next, and from one of the 36 planes to the next, of the
    // transformed inputs V and products M. The padding keeps the planes apart in the sets of the
    // first cache.
    int64_t v_row, v_plane, m_plane;

    explicit Plan(const ConvShape& s) {
      constexpr int64_t kBytesOfV = 512 << 10, kColumnsATask = 128;
      tiles_h = CeilDiv(s.out_h, 4), tiles_w = CeilDiv(s.out_w, 4);
      tiles = s.batch * tiles_h * tiles_w;
      v_row = RoundUp(s.in_c, kLanes);
      const int64_t fit = kBytesOfV / (kPlanes * v_row * 4);
      tile_blocks = CeilDiv(tiles, MaxInt(16, fit));
      block = tile_blocks > 0 ? CeilDiv(tiles, tile_blocks) : 0;
      panels = CeilDiv(s.out_c, T::kColumns);
      panel_blocks = CeilDiv(panels, MaxInt(1, kColumnsATask / T::kColumns));
      if (tile_blocks >= 8) panel_blocks = 1;
      v_plane = block * v_row + 16;
      m_plane = block * T::kColumns + 16;
    }
    int64_t tasks() const { return tile_blocks * panel_blocks; }
    Range tiles_of(int64_t task) const { return PartOf(tiles, tile_blocks, task / panel_blocks); }
    Range panels_of(int64_t task) const {
      return PartOf(panels, panel_blocks, task % panel_blocks);
    }
  };

  // Products, transforms, or reading the transformed weights for each block of tiles, whichever is
  // slower.
  static double Cost(const ConvShape& s) {
    const Plan p(s);
    const double tiles = static_cast<double>(p.tiles), planes = static_cast<double>(kPlanes);
    const double products = planes * Blocks<T>::Cost(p.tiles, s.out_c, s.in_c);
    const double vectors =
        static_cast<double>(p.v_row / kLanes * p.panel_blocks + CeilDiv(s.out_c, kLanes));
    const double bytes = planes * 4.0 * static_cast<double>(s.in_c * s.out_c * p.tile_blocks);
    const double reading = bytes / (bytes > 16e6 ? 4.0 : 10.0);  // beyond the last cache
    return (products > reading ? products : reading) + tiles * vectors * 160.0;
  }

  static Panels<T> PanelsOf(const ConvShape& s) { return {s.out_c, s.in_c}; }
  static int64_t BiasFloats(const ConvShape& s) {
    return RoundUp(RoundUp(s.out_c, T::kColumns), kAlignment / 4);
  }
  // The 36 planes of a panel lie one after the other, in the order of use.
  static const float* PanelOf(const ConvShape& s, const void* packed, int64_t panel) {
    return static_cast<const float*>(packed) + BiasFloats(s) + kPlanes * PanelsOf(s).offset(panel);
  }
  static int64_t PlaneFloats(const ConvShape& s, int64_t panel) {
    return PanelsOf(s).width(panel) * (s.in_c + 1);
  }
  static int64_t PackedBytes(const ConvShape& s) {
    return BiasFloats(s) * 4 + kPlanes * PanelsOf(s).bytes();
  }
  static int64_t Tasks(const ConvShape& s) { return Plan(s).tasks(); }
  static int64_t ScratchBytes(const ConvShape& s) {
    const Plan p(s);
    return RoundUp((kPlanes * (p.v_plane + p.m_plane) + p.v_row) * 4, kAlignment);
  }

  static int64_t PanelCount(const ConvShape& s) { return PanelsOf(s).count(); }
  static void Pack(const ConvShape& s, const ConvWeights& weights, const float* bias,
                   int64_t panel_begin, int64_t panel_end, void* packed) noexcept {
    for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
      PackPanel(s, weights, bias, panel, static_cast<float*>(packed));
    }
  }

  static void Run(const ConvArgs& args, int64_t task_begin, int64_t task_end,
                  void* scratch) noexcept {
    const ConvShape& s = args.shape;
    const Plan p(s);
    float* v = static_cast<float*>(scratch);
    float* m = v + kPlanes * p.v_plane;
    float* zeros = m + kPlanes * p.m_plane;
    for (int64_t i = 0; i < p.v_row; ++i) zeros[i] = 0.0f;
    for (int64_t task = task_begin; task < task_end; ++task) {
      const Range tiles = p.tiles_of(task), panels = p.panels_of(task);
      for (int64_t t = tiles.begin; t < tiles.end; ++t) {
        ReadTile(args, p, t, zeros, v + (t - tiles.begin) * p.v_row);
      }
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        Multiply(args, p, panel, tiles.size(), v, m);
        for (int64_t t = tiles.begin; t < tiles.end; ++t) {
          WriteTile(args, p, t, panel, m + (t - tiles.begin) * T::kColumns);
        }
      }
    }
  }

 private:
  // A few channels of the panel at a time: their taps as rows of columns, then all planes.
  static void PackPanel(const ConvShape& s, const ConvWeights& weights, const float* bias,
                        int64_t panel, float* packed) noexcept {
    constexpr int64_t kChannels = 8;
    float taps[9 * kChannels * T::kColumns];
    const Panels<T> panels = PanelsOf(s);
    const int64_t width = panels.width(panel), plane = PlaneFloats(s, panel);
    const int64_t n0 = panel * T::kColumns;
    for (int64_t j = n0; j < n0 + T::kColumns; ++j) {
      packed[j] = bias && j < s.out_c ? bias[j] : 0.0f;
    }
    float* to = packed + (PanelOf(s, packed, panel) - packed);
    for (int64_t i = 0; i < kPlanes; ++i) {  // the products start at zero
      for (int64_t j = 0; j < width; ++j) to[i * plane + j] = 0.0f;
    }
    to += width;
    for (int64_t c = 0; c < s.in_c; c += kChannels) {
      const int64_t channels = MinInt(kChannels, s.in_c - c);
      for (int64_t tap = 0; tap < 9; ++tap) {
        panels.PackRows(weights.at(0, n0, tap / 3, tap % 3, c), {channels, weights.in, weights.out},
                        panel, taps + tap * channels * width);
      }
      for (int64_t i = 0; i < channels * width; i += kLanes, to += kLanes) {
        PackVector(taps + i, channels * width, to, plane);
      }
    }
  }

  // The 3×3 filters of a vector of columns, taps `step` apart, to a vector of each plane.
  PARE_INLINE static void PackVector(const float* g, int64_t step, float* to, int64_t plane) {
    F32 rows[6][3];
    PARE_UNROLL for (int x = 0; x < 3; ++x) {
      const F32 column[3] = {Load(g + x * step), Load(g + (3 + x) * step),
                             Load(g + (6 + x) * step)};
      F32 u[6];
      TransformWeights(column, u);
      PARE_UNROLL for (int i = 0; i < 6; ++i) rows[i][x] = u[i];
    }
    PARE_UNROLL for (int i = 0; i < 6; ++i) {
      F32 u[6];
      TransformWeights(rows[i], u);
      PARE_UNROLL for (int j = 0; j < 6; ++j) Store(to + (i * 6 + j) * plane, u[j]);
    }
  }

  struct Place {
    int64_t image, oy, ox;
    Place(const Plan& p, int64_t tile)
        : image(tile / (p.tiles_h * p.tiles_w)),
          oy(tile / p.tiles_w % p.tiles_h * 4),
          ox(tile % p.tiles_w * 4) {}
  };

  static void ReadTile(const ConvArgs& args, const Plan& p, int64_t tile, const float* zeros,
                       float* v) noexcept {
    const ConvShape& s = args.shape;
    const Place at(p, tile);
    const float* pixels[kPlanes];
    const float* image = args.x + at.image * s.in_h * s.in_w * s.in_stride;
    PixelsOfTile({image, s.in_h, s.in_w, s.in_stride}, at.oy - s.pad_top, at.ox - s.pad_left, 6,
                 zeros, pixels);
    TransformChannels<TransformPixels>(pixels, s.in_c, v, p.v_plane);
  }

  static void Multiply(const ConvArgs& args, const Plan& p, int64_t panel, int64_t tiles,
                       const float* v, float* m) noexcept {
    const ConvShape& s = args.shape;
    const Panels<T> layout = PanelsOf(s);
    const float* u = PanelOf(s, args.packed, panel);
    const int64_t width = layout.width(panel), row_tiles = CeilDiv(tiles, T::kRows);
    const float* rows[T::kRows];
    TileArgs tile{
        .rows = rows,
        .segments = 1,
        .k = s.in_c,
        .bias = nullptr,
        .panel = nullptr,
        .panel_stride = width,
        .columns = width,
        .out = {.c = nullptr, .ldc = T::kColumns, .residual = nullptr, .ldr = 0, .activation = {}}};
    for (int64_t plane = 0; plane < kPlanes; ++plane) {
      tile.bias = u + plane * PlaneFloats(s, panel);
      tile.panel = tile.bias + width;
      for (int64_t t = 0; t < row_tiles; ++t) {
        const Range range = PartOf(tiles, row_tiles, t);
        for (int64_t r = 0; r < range.size(); ++r) {
          rows[r] = v + plane * p.v_plane + (range.begin + r) * p.v_row;
        }
        tile.out.c = m + plane * p.m_plane + range.begin * T::kColumns;
        T::Find(range.size(), width / kLanes)(tile);
      }
    }
  }

  static void WriteTile(const ConvArgs& args, const Plan& p, int64_t tile, int64_t panel,
                        const float* m) noexcept {
    const ConvShape& s = args.shape;
    const Place at(p, tile);
    const int64_t n0 = panel * T::kColumns, columns = PanelsOf(s).columns(panel);
    const float* bias = static_cast<const float*>(args.packed) + n0;
    const int64_t pixel = (at.image * s.out_h + at.oy) * s.out_w + at.ox;
    const int64_t height = MinInt(4, s.out_h - at.oy), width = MinInt(4, s.out_w - at.ox);
    TileOut out{
        .c = args.y + pixel * s.out_stride + n0,
        .ldc = s.out_stride,
        .residual = args.residual ? args.residual + pixel * s.residual_stride + n0 : nullptr,
        .ldr = s.residual_stride,
        .activation = args.activation};
    for (int64_t j = 0; j < columns; j += kLanes, m += kLanes, bias += kLanes) {
      F32 y[4][4];
      TransformProducts(m, p.m_plane, Load(bias), y);
      StorePixels(y, out, s.out_w, height, width, columns - j);
      out.c += kLanes;
      if (out.residual) out.residual += kLanes;
    }
    if (args.activation.is_clamp()) return;
    for (int64_t i = 0; i < height; ++i) {
      ActivateRows(args.activation, args.y + (pixel + i * s.out_w) * s.out_stride + n0,
                   s.out_stride, width, columns);
    }
  }

  PARE_INLINE static void TransformProducts(const float* m, int64_t plane, F32 bias,
                                            F32 (&y)[4][4]) {
    F32 rows[4][6];
    PARE_UNROLL for (int x = 0; x < 6; ++x) {
      F32 column[6], t[4];
      PARE_UNROLL for (int i = 0; i < 6; ++i) column[i] = Load(m + (i * 6 + x) * plane);
      TransformOutput(column, t);
      PARE_UNROLL for (int i = 0; i < 4; ++i) rows[i][x] = t[i];
    }
    PARE_UNROLL for (int i = 0; i < 4; ++i) {
      TransformOutput(rows[i], y[i]);
      PARE_UNROLL for (int x = 0; x < 4; ++x) y[i][x] = Add(y[i][x], bias);
    }
  }

  // `out` is the first pixel; lines are out_w pixels apart, the first `left` lanes are valid.
  static void StorePixels(const F32 (&y)[4][4], const TileOut& out, int64_t out_w, int64_t height,
                          int64_t width, int64_t left) noexcept {
    const F32 lo = Set(out.activation.clamp_lo()), hi = Set(out.activation.clamp_hi());
    const bool full = left >= kLanes;
    const Tail tail = FirstN(left);
    for (int64_t i = 0; i < height; ++i) {
      for (int64_t x = 0; x < width; ++x) {
        const int64_t pixel = i * out_w + x;
        F32 value = y[i][x];
        if (out.residual) {
          const float* r = out.residual + pixel * out.ldr;
          value = Add(value, full ? Load(r) : Load(r, tail));
        }
        value = Clamp(value, lo, hi);
        float* to = out.c + pixel * out.ldc;
        if (full) {
          Store(to, value);
        } else {
          Store(to, value, tail);
        }
      }
    }
  }
};

template <typename T>
constexpr ConvKernel MakeWinogradConv() {
  using C = WinogradConv<T>;
  return {.supports = C::Supports,
          .cost = C::Cost,
          .packed_bytes = C::PackedBytes,
          .panels = C::PanelCount,
          .pack = C::Pack,
          .tasks = C::Tasks,
          .scratch_bytes = C::ScratchBytes,
          .run = C::Run};
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
