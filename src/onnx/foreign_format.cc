#include "onnx/foreign_format.h"

#include <algorithm>
#include <string_view>

namespace pare::onnx {
namespace {

using namespace std::string_view_literals;

constexpr const char* kPicture =
    "a model was expected here; pictures are given with --data, in a folder";
constexpr const char* kArrays =
    "a model was expected here; arrays are given with --data or --input";
constexpr const char* kUnpack = "unpack it, and name the .onnx file in it";

struct Format {
  size_t at;  // where the magic stands
  std::string_view magic;
  std::string_view name, advice;
};
constexpr Format kFormats[] = {
    {0, "\xff\xd8\xff"sv, "a JPEG picture", kPicture},
    {0, "\x89PNG\r\n\x1a\n"sv, "a PNG picture", kPicture},
    {0, "GIF8"sv, "a GIF picture", kPicture},
    {4, "TFL3"sv, "a TensorFlow Lite model", "export the original model to ONNX, or try tf2onnx"},
    {4, "ORTM"sv, "a model in ONNX Runtime's own format",
     "name the .onnx file that it was made of"},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file, as Keras writes",
     "export the model to ONNX, e.g. by Keras's model.export(…, format=\"onnx\")"},
    {0, "\x1f\x8b"sv, "a gzip archive", kUnpack},
    {0, "\xfd\x37zXZ\0"sv, "an xz archive", kUnpack},
    {0, "\x28\xb5\x2f\xfd"sv, "a zstd archive", kUnpack},
    {257, "ustar"sv, "a tar archive", kUnpack},
    {0, "\x93NUMPY"sv, "a NumPy array", kArrays},
    {0, "\x80\x02"sv, "a Python pickle, as older versions of PyTorch write",
     "load it in PyTorch and export it by torch.onnx.export"},
};

constexpr Format kPyTorch = {0,
                             {},
                             "a PyTorch file (a zip archive)",
                             "load it in PyTorch and export it by torch.onnx.export"};
constexpr Format kKeras = {0,
                           {},
                           "a Keras model (a zip archive)",
                           "export it by Keras's model.export(…, format=\"onnx\")"};
constexpr Format kArchiveOfArrays = {0, {}, "an .npz of NumPy arrays", kArrays};
constexpr Format kZip = {0, {}, "a zip archive", kUnpack};

// An archive's entries tell whose it is; the first ones do, of which the names lie uncompressed.
const Format& KindOfZip(std::string_view text) {
  const std::string_view head = text.substr(0, 4096);
  const auto has = [&](std::string_view part) { return head.find(part) != head.npos; };
  if (has("/data.pkl") || has("/byteorder") || has("/.format_version")) return kPyTorch;
  if (has(".npy")) return kArchiveOfArrays;
  return has("config.json") && has("metadata.json") ? kKeras : kZip;
}

const Format* Find(std::string_view text) {
  if (text.starts_with("PK\x03\x04")) return &KindOfZip(text);
  const auto found = std::ranges::find_if(kFormats, [&](const Format& format) {
    return text.size() >= format.at && text.substr(format.at).starts_with(format.magic);
  });
  return found == std::end(kFormats) ? nullptr : found;
}

}  // namespace

std::optional<Error> ForeignFormat(Bytes file) {
  const Format* const format = Find(TextOf(file));
  if (!format) return std::nullopt;
  return Error(ErrorKind::kInvalid, Text("looks like ", format->name, ", and no ONNX file"),
               std::string(format->advice));
}

}  // namespace pare::onnx
