// The decoders behind DecodeImage.
#pragma once

#include <cstdint>
#include <span>

#include "base/tensor.h"

namespace pare::data {

bool IsJpeg(std::span<const std::byte> bytes);
Result<Tensor> DecodeJpeg(std::span<const std::byte> bytes, int64_t max_pixels);

bool IsPng(std::span<const std::byte> bytes);
Result<Tensor> DecodePng(std::span<const std::byte> bytes, int64_t max_pixels);

// Fails for pictures without pixels or with more than `max_pixels`.
Status CheckPictureSize(int64_t width, int64_t height, int64_t max_pixels);

}  // namespace pare::data
