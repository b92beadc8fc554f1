// For tests: pictures and archives made on the spot.
#pragma once

#include <png.h>

#include <csetjmp>
#include <cstdio>
// clang-format off: jpeglib.h needs size_t and FILE before it
#include <jpeglib.h>
// clang-format on
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"

namespace pare::data {

// u8 [h, w, 3]: a gradient that no two rows or columns share.
inline Tensor Gradient(int64_t height, int64_t width, int seed = 0) {
  Tensor image = Tensor::Make(DType::kU8, {height, width, 3}).value();
  uint8_t* out = image.mutable_as<uint8_t>().data();
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) *out++ = static_cast<uint8_t>(x * 37 + y * 11 + c * 53 + seed);
    }
  }
  return image;
}

inline Tensor Filled(int64_t height, int64_t width, uint8_t value) {
  Tensor image = Tensor::Make(DType::kU8, {height, width, 3}).value();
  std::memset(image.mutable_data(), value, image.bytes());
  return image;
}

// `format`: PNG_FORMAT_RGB, PNG_FORMAT_GRAY …, of the pixels given.
inline std::string PngOf(const void* pixels, int64_t height, int64_t width, int format) {
  png_image png = {};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = static_cast<png_uint_32>(format);
  png_alloc_size_t size = 0;
  png_image_write_get_memory_size(png, size, 0, pixels, 0, nullptr);
  std::string bytes(size, '\0');
  png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels, 0, nullptr);
  bytes.resize(size);
  return bytes;
}
inline std::string PngOf(const Tensor& image) {
  return PngOf(image.data(), image.shape()[0], image.shape()[1], PNG_FORMAT_RGB);
}

inline std::string JpegOf(const Tensor& image, int components = 3) {
  jpeg_compress_struct info = {};
  jpeg_error_mgr errors = {};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* data = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &data, &size);
  info.image_height = static_cast<JDIMENSION>(image.shape()[0]);
  info.image_width = static_cast<JDIMENSION>(image.shape()[1]);
  info.input_components = components;
  info.in_color_space = components == 4 ? JCS_CMYK : components == 3 ? JCS_RGB : JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = reinterpret_cast<JSAMPROW>(const_cast<std::byte*>(image.data())) +
                size_t{info.next_scanline} * info.image_width * components;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string bytes(reinterpret_cast<char*>(data), size);
  std::free(data);
  return bytes;
}

// One member of a tar archive, padded. Two blocks of zeros end an archive.
inline std::string TarMember(std::string_view name, std::string_view content, char type = '0',
                             std::string_view prefix = "") {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  block.replace(100, 7, "0000644");
  char octal[24];
  std::snprintf(octal, sizeof(octal), "%011zo", content.size());
  block.replace(124, 11, octal);
  block[156] = type;
  block.replace(257, 8,
                std::string_view("ustar\0"
                                 "00",
                                 8));
  block.replace(345, prefix.size(), prefix);
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const unsigned char c : block) sum += c;
  std::snprintf(octal, sizeof(octal), "%06o", sum);
  block.replace(148, 7, std::string_view(octal, 7));
  block.append(content);
  block.append((512 - content.size() % 512) % 512, '\0');
  return block;
}
inline std::string TarEnd() { return std::string(1024, '\0'); }

}  // namespace pare::data
