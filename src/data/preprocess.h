// From a decoded picture to what a model takes:
//   y = (x · scale − mean) / std     after resize of the short side and centre crop; x in 0…255,
//                                    in doubles, rounded to float once.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/tensor.h"

namespace pare::data {

enum class Layout : uint8_t {
  kAuto,  // where the model's shape has the 1 or 3 channels: first or last
  kNchw,
  kNhwc,
};

struct Preprocess {
  static constexpr int kAuto = -1;

  // The short side in pixels. 0: no resize. kAuto: none where the picture has the size of the crop
  // already, else so that it exceeds the crop by a seventh (224 → 256).
  int resize_short = kAuto;
  int crop_h = 0, crop_w = 0;  // 0: the height and width that the model takes
  double scale = 1.0 / 255;
  std::array<double, 3> mean = {0, 0, 0};  // in the order of the channels that the model sees
  std::array<double, 3> std = {1, 1, 1};
  bool bgr = false;
  Layout layout = Layout::kAuto;
  int label_offset = 0;  // class of the model = label of the data + label_offset

  // Sets one field from text: "size" ("256", "auto"), "crop" ("224", "240x320" = height x width),
  // "scale" ("0.0039", "1/127.5"), "mean" and "std" (one number or three, by commas), "channels"
  // ("rgb", "bgr"), "layout" ("nchw", "nhwc", "auto"), "label_offset". Command line and metadata
  // alike.
  Status Set(std::string_view field, std::string_view text);

  // As "pare.preprocess.<field>"; ReadFrom changes nothing where no such key is there.
  void WriteTo(std::map<std::string, std::string>& metadata) const;
  Status ReadFrom(const std::map<std::string, std::string>& metadata);
  static bool In(const std::map<std::string, std::string>& metadata);

  friend bool operator==(const Preprocess&, const Preprocess&) = default;
};

// Resize and crop. `picture` is u8 [h, w, c]; the model takes height × width (0: any).
// Gives u8 [crop_h, crop_w, c].
Result<Tensor> FitPicture(const Preprocess& preprocess, const Tensor& picture, int64_t height,
                          int64_t width);

// The pixels of `picture` (u8 [h, w, c]) by the formula into out: `channels` (1 or 3) planes after
// one another, or interleaved (`planar` false). Grey becomes three equal channels; colour becomes
// grey as (19595 R + 38470 G + 7471 B) / 65536.
void NormalizePicture(const Preprocess& preprocess, const Tensor& picture, int channels,
                      bool planar, float* out);

}  // namespace pare::data
