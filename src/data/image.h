// Pictures: JPEG and PNG to pixels.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/tensor.h"

namespace pare::data {

// More is taken for an attack, or for no picture that a network wants.
inline constexpr int64_t kMaxPixels = int64_t{1} << 27;

// u8 [height, width, 3] in RGB; palettes, grey, CMYK and 16 bits are converted, transparency is
// dropped, as Pillow's convert("RGB") does. The format is known by the first bytes.
Result<Tensor> DecodeImage(std::span<const std::byte> bytes, int64_t max_pixels = kMaxPixels);

bool HasImageExtension(std::string_view path);  // .jpg .jpeg .png in any case

// Bilinear with a triangle as wide as the step when shrinking: the same bits as Pillow's
// resize(BILINEAR) gives. `image` is u8 [h, w, c].
Result<Tensor> ResizeBilinear(const Tensor& image, int64_t height, int64_t width);

}  // namespace pare::data
