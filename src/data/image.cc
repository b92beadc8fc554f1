#include "data/image.h"

#include <algorithm>
#include <cctype>

#include "data/image_formats.h"

namespace pare::data {

Status CheckPictureSize(int64_t width, int64_t height, int64_t max_pixels) {
  if (width > 0 && height > 0 && width <= max_pixels / height) return {};
  return Invalid(Text("the picture claims ", width, " × ", height, " pixels"),
                 Text("at most ", max_pixels, " are taken"));
}

Result<Tensor> DecodeImage(std::span<const std::byte> bytes, int64_t max_pixels) {
  if (IsJpeg(bytes)) return DecodeJpeg(bytes, max_pixels);
  if (IsPng(bytes)) return DecodePng(bytes, max_pixels);
  return Invalid(bytes.empty() ? "the file is empty" : "is neither a JPEG nor a PNG",
                 "convert the picture, or remove it");
}

bool HasImageExtension(std::string_view path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string extension(path.substr(dot + 1));
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension == "jpg" || extension == "jpeg" || extension == "png";
}

}  // namespace pare::data
