// The transforms of Winograd's F(4×4, 3×3), and their adjoints, on vectors of channels; compiled
// per ISA: include after kernels/simd/<isa>.h. winograd-inl.h tells what they are for.
#pragma once

#include "kernels/kernel.h"

namespace pare::kernels::PARE_SIMD_NAMESPACE {

inline constexpr int64_t kPlanes = 36;  // points of the transformed domain

// Bᵀ applied to 6 vectors.
PARE_INLINE void TransformInput(const F32 (&d)[6], F32 (&v)[6]) {
  const F32 two = Set(2.0f), four = Set(4.0f), five = Set(5.0f);
  const F32 d42 = Fnma(four, d[2], d[4]);  // d4 - 4 d2
  const F32 d31 = Fnma(four, d[1], d[3]);  // d3 - 4 d1
  const F32 e42 = Sub(d[4], d[2]);
  const F32 e31 = Mul(two, Sub(d[3], d[1]));
  v[0] = Fma(four, d[0], Fnma(five, d[2], d[4]));
  v[1] = Add(d42, d31);
  v[2] = Sub(d42, d31);
  v[3] = Add(e42, e31);
  v[4] = Sub(e42, e31);
  v[5] = Fma(four, d[1], Fnma(five, d[3], d[5]));
}

// Aᵀ applied to 6 vectors.
PARE_INLINE void TransformOutput(const F32 (&m)[6], F32 (&y)[4]) {
  const F32 p12 = Add(m[1], m[2]), q12 = Sub(m[1], m[2]);
  const F32 p34 = Add(m[3], m[4]), q34 = Sub(m[3], m[4]);
  y[0] = Add(Add(m[0], p12), p34);
  y[1] = Fma(Set(2.0f), q34, q12);
  y[2] = Fma(Set(4.0f), p34, p12);
  y[3] = Add(Fma(Set(8.0f), q34, q12), m[5]);
}

// G applied to 3 vectors.
PARE_INLINE void TransformWeights(const F32 (&g)[3], F32 (&u)[6]) {
  const F32 sixth = Set(1.0f / 6.0f);
  const F32 even = Mul(Add(g[0], g[2]), sixth), odd = Mul(g[1], sixth);
  const F32 outer = Fma(g[0], Set(1.0f / 24.0f), Mul(g[2], sixth));
  const F32 middle = Mul(g[1], Set(1.0f / 12.0f));
  u[0] = Mul(g[0], Set(0.25f));
  u[1] = Sub(Zero(), Add(even, odd));
  u[2] = Sub(odd, even);
  u[3] = Add(outer, middle);
  u[4] = Sub(outer, middle);
  u[5] = g[2];
}

// A, the adjoint of Aᵀ, applied to 4 vectors.
PARE_INLINE void TransformGradient(const F32 (&y)[4], F32 (&m)[6]) {
  const F32 two = Set(2.0f), four = Set(4.0f);
  const F32 even = Add(y[0], y[2]), odd = Add(y[1], y[3]);
  const F32 wide_even = Fma(four, y[2], y[0]), wide_odd = Mul(two, Fma(four, y[3], y[1]));
  m[0] = y[0];
  m[1] = Add(even, odd);
  m[2] = Sub(even, odd);
  m[3] = Add(wide_even, wide_odd);
  m[4] = Sub(wide_even, wide_odd);
  m[5] = y[3];
}

// Gᵀ, the adjoint of G, applied to 6 vectors.
PARE_INLINE void TransformWeightGradient(const F32 (&u)[6], F32 (&g)[3]) {
  const F32 sixth = Set(1.0f / 6.0f);
  const F32 near = Mul(Add(u[1], u[2]), sixth), far = Add(u[3], u[4]);
  g[0] = Fma(Set(0.25f), u[0], Fma(Set(1.0f / 24.0f), far, Sub(Zero(), near)));
  g[1] = Fma(Set(1.0f / 12.0f), Sub(u[3], u[4]), Mul(Sub(u[2], u[1]), sixth));
  g[2] = Add(Fma(far, sixth, Sub(Zero(), near)), u[5]);
}

// The planes of 6×6 input pixels, whose vectors load(i) gives.
struct TransformPixels {
  template <typename LoadPixel>
  PARE_INLINE static void Do(LoadPixel load, float* v, int64_t plane) {
    F32 columns[6][6];
    PARE_UNROLL for (int x = 0; x < 6; ++x) {
      F32 d[6], t[6];
      PARE_UNROLL for (int y = 0; y < 6; ++y) d[y] = load(y * 6 + x);
      TransformInput(d, t);
      PARE_UNROLL for (int y = 0; y < 6; ++y) columns[y][x] = t[y];
    }
    PARE_UNROLL for (int y = 0; y < 6; ++y) {
      F32 t[6];
      TransformInput(columns[y], t);
      PARE_UNROLL for (int x = 0; x < 6; ++x) Store(v + (y * 6 + x) * plane, t[x]);
    }
  }
};

// The planes of the gradient of 4×4 output pixels.
struct TransformOutputGradient {
  template <typename LoadPixel>
  PARE_INLINE static void Do(LoadPixel load, float* m, int64_t plane) {
    F32 columns[6][4];
    PARE_UNROLL for (int x = 0; x < 4; ++x) {
      F32 y[4], t[6];
      PARE_UNROLL for (int i = 0; i < 4; ++i) y[i] = load(i * 4 + x);
      TransformGradient(y, t);
      PARE_UNROLL for (int i = 0; i < 6; ++i) columns[i][x] = t[i];
    }
    PARE_UNROLL for (int i = 0; i < 6; ++i) {
      F32 t[6];
      TransformGradient(columns[i], t);
      PARE_UNROLL for (int x = 0; x < 6; ++x) Store(m + (i * 6 + x) * plane, t[x]);
    }
  }
};

struct PixelGrid {
  const float* first;
  int64_t height, width, stride;
};

// Pointers to `size` × `size` pixels from (y, x) on; those outside of the image point to zeros.
inline void PixelsOfTile(const PixelGrid& image, int64_t y, int64_t x, int64_t size,
                         const float* zeros, const float** pixels) noexcept {
  for (int64_t i = y; i < y + size; ++i) {
    for (int64_t j = x; j < x + size; ++j) {
      const bool inside = i >= 0 && i < image.height && j >= 0 && j < image.width;
      *pixels++ = inside ? image.first + (i * image.width + j) * image.stride : zeros;
    }
  }
}

// Transforms all channels of a tile's pixels; planes are `plane` floats apart, channels padded to
// whole vectors with zeros.
template <typename Transform>
void TransformChannels(const float* const* pixels, int64_t channels, float* to,
                       int64_t plane) noexcept {
  const int64_t whole = channels / kLanes * kLanes;
  for (int64_t c = 0; c < whole; c += kLanes) {
    Transform::Do([&](int i) { return Load(pixels[i] + c); }, to + c, plane);
  }
  if (whole < channels) {
    const Tail tail = FirstN(channels - whole);
    Transform::Do([&](int i) { return Load(pixels[i] + whole, tail); }, to + whole, plane);
  }
}

}  // namespace pare::kernels::PARE_SIMD_NAMESPACE
