// libjpeg reports errors by longjmp. It must not jump over C++ objects with destructors, so each
// step that may fail is a function that holds none, and all objects live in the caller.
#include <csetjmp>
#include <cstdio>
// clang-format off: jpeglib.h needs size_t and FILE before it
#include <jpeglib.h>
#include <jerror.h>
// clang-format on
#include <vector>

#include "data/image_formats.h"

namespace pare::data {
namespace {

constexpr int kMaxScans = 500;  // a small progressive file may ask for endless passes

struct Decoder {
  jpeg_decompress_struct info = {};
  jpeg_error_mgr errors = {};
  jpeg_progress_mgr progress = {};
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";

  Decoder() = default;
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
};

[[noreturn]] void OnError(j_common_ptr info) {
  auto* decoder = static_cast<Decoder*>(info->client_data);
  info->err->format_message(info, decoder->message);
  std::longjmp(decoder->jump, 1);
}

// libjpeg would go on with grey where the data end too early.
void OnMessage(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) OnError(info);
}

void OnProgress(j_common_ptr info) {
  auto* decoder = static_cast<Decoder*>(info->client_data);
  if (decoder->info.input_scan_number > kMaxScans) {
    ERREXIT(info, JERR_BAD_PROGRESSION);
  }
}

bool ReadHeader(Decoder& decoder, const unsigned char* data, size_t size) {
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.errors.error_exit = OnError;
  decoder.errors.emit_message = OnMessage;
  decoder.info.client_data = &decoder;
  if (setjmp(decoder.jump)) return false;
  jpeg_create_decompress(&decoder.info);
  decoder.progress.progress_monitor = OnProgress;
  decoder.info.progress = &decoder.progress;
  jpeg_mem_src(&decoder.info, data, size);
  jpeg_read_header(&decoder.info, TRUE);
  const bool four = decoder.info.num_components == 4;
  decoder.info.out_color_space = four ? JCS_CMYK : JCS_RGB;
  return true;
}

// Adobe's files, which are all that exist with four channels, hold the inverse of the inks.
void CmykToRgb(const unsigned char* cmyk, int64_t width, unsigned char* rgb) {
  for (int64_t x = 0; x < width; ++x) {
    const int black = cmyk[4 * x + 3];
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - cmyk[4 * x + c]) * black + 128;
      const int ink = ((product >> 8) + product) >> 8;  // product / 255, rounded
      rgb[3 * x + c] = static_cast<unsigned char>(black > ink ? black - ink : 0);
    }
  }
}

// `row` has room for one row of four channels, `rgb` for the picture.
bool ReadRows(Decoder& decoder, unsigned char* row, unsigned char* rgb) {
  if (setjmp(decoder.jump)) return false;
  jpeg_start_decompress(&decoder.info);
  const size_t stride = size_t{3} * decoder.info.output_width;
  const bool four = decoder.info.output_components == 4;
  while (decoder.info.output_scanline < decoder.info.output_height) {
    unsigned char* target = rgb + stride * decoder.info.output_scanline;
    unsigned char* into = four ? row : target;
    jpeg_read_scanlines(&decoder.info, &into, 1);
    if (four) CmykToRgb(row, decoder.info.output_width, target);
  }
  return true;
}

}  // namespace

bool IsJpeg(std::span<const std::byte> bytes) {
  return bytes.size() >= 3 && bytes[0] == std::byte{0xff} && bytes[1] == std::byte{0xd8} &&
         bytes[2] == std::byte{0xff};
}

Result<Tensor> DecodeJpeg(std::span<const std::byte> bytes, int64_t max_pixels) {
  Decoder decoder;
  const auto failed = [&] {
    return Invalid(Text("the JPEG is damaged: ", std::string_view(decoder.message)),
                   "replace or remove the picture");
  };
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  if (!ReadHeader(decoder, data, bytes.size())) return failed();
  const int64_t width = decoder.info.image_width, height = decoder.info.image_height;
  PARE_TRY(CheckPictureSize(width, height, max_pixels));
  PARE_ASSIGN(Tensor picture, Tensor::Make(DType::kU8, {height, width, 3}));
  std::vector<unsigned char> row(4 * width);
  auto* rgb = reinterpret_cast<unsigned char*>(picture.mutable_data());
  if (!ReadRows(decoder, row.data(), rgb)) return failed();
  return picture;
}

}  // namespace pare::data
