// libpng reports errors by longjmp: see jpeg.cc for what that asks of the code.
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "data/image_formats.h"

namespace pare::data {
namespace {

struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::byte* data = nullptr;
  size_t left = 0;
  char message[128] = "out of memory";

  Decoder() = default;
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

[[noreturn]] void OnError(png_structp png, png_const_charp message) {
  auto* decoder = static_cast<Decoder*>(png_get_error_ptr(png));
  std::strncpy(decoder->message, message, sizeof(decoder->message) - 1);
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep out, size_t count) {
  auto* decoder = static_cast<Decoder*>(png_get_io_ptr(png));
  if (count > decoder->left) png_error(png, "the data end too early");
  std::memcpy(out, decoder->data, count);
  decoder->data += count;
  decoder->left -= count;
}

bool ReadHeader(Decoder& decoder) {
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, OnError, OnWarning);
  if (!decoder.png) return false;
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  decoder.info = png_create_info_struct(decoder.png);
  if (!decoder.info) return false;
  png_set_chunk_malloc_max(decoder.png, png_alloc_size_t{4} << 20);
  png_set_read_fn(decoder.png, &decoder, OnRead);
  png_read_info(decoder.png, decoder.info);
  return true;
}

// To 8 bits of red, green and blue, whatever the file has.
bool ReadRows(Decoder& decoder, png_bytep* rows, size_t stride) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  png_set_expand(decoder.png);
  png_set_strip_16(decoder.png);
  png_set_strip_alpha(decoder.png);
  png_set_gray_to_rgb(decoder.png);
  png_set_interlace_handling(decoder.png);
  png_read_update_info(decoder.png, decoder.info);
  if (png_get_rowbytes(decoder.png, decoder.info) != stride) {
    png_error(decoder.png, "the rows have an odd size");
  }
  png_read_image(decoder.png, rows);
  return true;
}

}  // namespace

bool IsPng(std::span<const std::byte> bytes) {
  return bytes.size() >= 8 &&
         png_sig_cmp(reinterpret_cast<png_const_bytep>(bytes.data()), 0, 8) == 0;
}

Result<Tensor> DecodePng(std::span<const std::byte> bytes, int64_t max_pixels) {
  Decoder decoder;
  decoder.data = bytes.data();
  decoder.left = bytes.size();
  const auto failed = [&] {
    return Invalid(Text("the PNG is damaged: ", std::string_view(decoder.message)),
                   "replace or remove the picture");
  };
  if (!ReadHeader(decoder)) return failed();
  const int64_t width = png_get_image_width(decoder.png, decoder.info);
  const int64_t height = png_get_image_height(decoder.png, decoder.info);
  PARE_TRY(CheckPictureSize(width, height, max_pixels));
  PARE_ASSIGN(Tensor picture, Tensor::Make(DType::kU8, {height, width, 3}));
  std::vector<png_bytep> rows(height);
  const size_t stride = 3 * static_cast<size_t>(width);
  for (int64_t y = 0; y < height; ++y) {
    rows[y] = reinterpret_cast<png_bytep>(picture.mutable_data()) + y * stride;
  }
  if (!ReadRows(decoder, rows.data(), stride)) return failed();
  return picture;
}

}  // namespace pare::data
