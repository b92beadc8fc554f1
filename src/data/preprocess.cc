#include "data/preprocess.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "data/image.h"
#include "data/image_formats.h"
#include "data/number.h"

namespace pare::data {
namespace {

constexpr std::string_view kPrefix = "pare.preprocess.";

// "0.25" or "1/255": what a float could be, too.
std::optional<double> Ratio(std::string_view text) {
  const size_t slash = text.find('/');
  const auto top = Number<double>(text.substr(0, slash));
  const auto bottom =
      slash == std::string_view::npos ? 1.0 : Number<double>(text.substr(slash + 1));
  if (!top || !bottom || *bottom == 0) return std::nullopt;
  const double value = *top / *bottom;
  return std::isfinite(static_cast<float>(value)) ? std::optional(value) : std::nullopt;
}

std::optional<std::array<double, 3>> Three(std::string_view text) {
  std::array<double, 3> values;
  size_t count = 0;
  while (true) {
    const size_t comma = text.find(',');
    const auto value = Ratio(text.substr(0, comma));
    if (!value || count == 3) return std::nullopt;
    values[count++] = *value;
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (count == 1) values[1] = values[2] = values[0];
  return count == 2 ? std::nullopt : std::optional(values);
}

bool SetSize(Preprocess& p, std::string_view text) {
  const auto value = text == "auto" ? Preprocess::kAuto : Number<int>(text);
  if (!value || *value < Preprocess::kAuto || *value > 65535) return false;
  p.resize_short = *value;
  return true;
}

bool SetCrop(Preprocess& p, std::string_view text) {
  const size_t times = text.find('x');
  const auto height = Number<int>(text.substr(0, times));
  const auto width = times == std::string_view::npos ? height : Number<int>(text.substr(times + 1));
  if (!height || !width || std::min(*height, *width) < 0 || std::max(*height, *width) > 65535) {
    return false;
  }
  p.crop_h = *height;
  p.crop_w = *width;
  return true;
}

bool SetScale(Preprocess& p, std::string_view text) {
  const auto value = Ratio(text);
  if (!value || static_cast<float>(*value) == 0) return false;  // all pictures would be the same
  p.scale = *value;
  return true;
}

bool SetMean(Preprocess& p, std::string_view text) {
  const auto values = Three(text);
  if (values) p.mean = *values;
  return values.has_value();
}

bool SetStd(Preprocess& p, std::string_view text) {
  const auto values = Three(text);
  const auto is_zero = [](double value) { return static_cast<float>(value) == 0; };
  if (!values || std::any_of(values->begin(), values->end(), is_zero)) return false;
  p.std = *values;
  return true;
}

bool SetChannels(Preprocess& p, std::string_view text) {
  p.bgr = text == "bgr";
  return p.bgr || text == "rgb";
}

bool SetLayout(Preprocess& p, std::string_view text) {
  p.layout = text == "nchw" ? Layout::kNchw : text == "nhwc" ? Layout::kNhwc : Layout::kAuto;
  return p.layout != Layout::kAuto || text == "auto";
}

bool SetLabelOffset(Preprocess& p, std::string_view text) {
  const auto value = Number<int>(text);
  if (value) p.label_offset = *value;
  return value.has_value();
}

std::string Shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}
std::string ThreeText(const std::array<double, 3>& v) {
  return Text(Shortest(v[0]), ",", Shortest(v[1]), ",", Shortest(v[2]));
}

struct Field {
  std::string_view name;
  bool (*set)(Preprocess&, std::string_view);
  std::string (*get)(const Preprocess&);
  std::string_view expected;
};

constexpr Field kFields[] = {
    {"size", SetSize,
     [](const Preprocess& p) {
       return p.resize_short == Preprocess::kAuto ? "auto" : Text(p.resize_short);
     },
     "a number of pixels, 0 for no resize, or auto"},
    {"crop", SetCrop, [](const Preprocess& p) { return Text(p.crop_h, "x", p.crop_w); },
     "pixels, like 224, or height x width, like 240x320; 0 for what the model takes"},
    {"scale", SetScale, [](const Preprocess& p) { return Shortest(p.scale); },
     "a number or a ratio, like 1/255, and not 0"},
    {"mean", SetMean, [](const Preprocess& p) { return ThreeText(p.mean); },
     "one number, or three separated by commas"},
    {"std", SetStd, [](const Preprocess& p) { return ThreeText(p.std); },
     "one number, or three separated by commas, none of them 0"},
    {"channels", SetChannels,
     [](const Preprocess& p) -> std::string { return p.bgr ? "bgr" : "rgb"; }, "rgb or bgr"},
    {"layout", SetLayout,
     [](const Preprocess& p) -> std::string {
       return p.layout == Layout::kAuto ? "auto" : p.layout == Layout::kNchw ? "nchw" : "nhwc";
     },
     "nchw, nhwc or auto"},
    {"label_offset", SetLabelOffset, [](const Preprocess& p) { return Text(p.label_offset); },
     "a whole number"},
};

// As torchvision: the long side is cut to a whole number, not rounded.
int64_t LongSide(int64_t short_side, int64_t long_in, int64_t short_in) {
  return std::max<int64_t>(1, short_side * long_in / short_in);
}

// An eighth of the crop's side that needs most of the picture is left over.
int64_t AutoShortSide(int64_t rows, int64_t columns, int64_t crop_h, int64_t crop_w) {
  const double scale = std::max(static_cast<double>(crop_h) / static_cast<double>(rows),
                                static_cast<double>(crop_w) / static_cast<double>(columns));
  return std::llround(scale * static_cast<double>(std::min(rows, columns)) * 8 / 7);
}

Tensor CropCenter(const Tensor& picture, int64_t height, int64_t width, Tensor out) {
  const int64_t rows = picture.shape()[0], columns = picture.shape()[1],
                channels = picture.shape()[2];
  // Ties to even, as Python's round().
  const auto top = static_cast<int64_t>(std::nearbyint(static_cast<double>(rows - height) / 2));
  const auto left = static_cast<int64_t>(std::nearbyint(static_cast<double>(columns - width) / 2));
  for (int64_t y = 0; y < height; ++y) {
    std::memcpy(out.mutable_data() + y * width * channels,
                picture.data() + ((top + y) * columns + left) * channels, width * channels);
  }
  return out;
}

}  // namespace

Status Preprocess::Set(std::string_view field, std::string_view text) {
  for (const Field& known : kFields) {
    if (known.name != field) continue;
    if (known.set(*this, text)) return {};
    return Fail(ErrorKind::kUsage, Text("preprocessing: ", field, " can't be '", text, "'"),
                Text("it is ", known.expected));
  }
  return Fail(ErrorKind::kUsage, Text("preprocessing has no field '", field, "'"));
}

void Preprocess::WriteTo(std::map<std::string, std::string>& metadata) const {
  for (const Field& field : kFields) metadata[Text(kPrefix, field.name)] = field.get(*this);
}

// Fields that are not known are left alone: a later version may have written them.
Status Preprocess::ReadFrom(const std::map<std::string, std::string>& metadata) {
  Preprocess read = *this;
  for (const Field& field : kFields) {
    const auto found = metadata.find(Text(kPrefix, field.name));
    if (found == metadata.end()) continue;
    if (!field.set(read, found->second)) {
      return Invalid(
          Text("the metadata has ", found->first, " = '", found->second, "'"),
          Text("it is ", field.expected, "; give the preprocessing on the command line"));
    }
  }
  *this = read;
  return {};
}

bool Preprocess::In(const std::map<std::string, std::string>& metadata) {
  const auto first = metadata.lower_bound(std::string(kPrefix));
  return first != metadata.end() && first->first.starts_with(kPrefix);
}

Result<Tensor> FitPicture(const Preprocess& preprocess, const Tensor& picture, int64_t height,
                          int64_t width) {
  const int64_t crop_h = preprocess.crop_h ? preprocess.crop_h : height;
  const int64_t crop_w = preprocess.crop_w ? preprocess.crop_w : width;
  const int64_t rows = picture.shape()[0], columns = picture.shape()[1];
  const bool fits = (crop_h == 0 || crop_h == rows) && (crop_w == 0 || crop_w == columns);
  int64_t short_side = preprocess.resize_short;
  if (short_side == Preprocess::kAuto) {
    short_side = fits ? 0 : AutoShortSide(rows, columns, crop_h, crop_w);
  }
  Tensor fitted = picture;
  if (short_side > 0 && short_side != std::min(rows, columns)) {
    const bool tall = rows > columns;
    const int64_t long_side =
        LongSide(short_side, std::max(rows, columns), std::min(rows, columns));
    PARE_TRY(CheckPictureSize(long_side, short_side, kMaxPixels));
    PARE_ASSIGN(fitted, ResizeBilinear(picture, tall ? long_side : short_side,
                                       tall ? short_side : long_side));
  }
  const int64_t have_h = fitted.shape()[0], have_w = fitted.shape()[1];
  const int64_t want_h = crop_h ? crop_h : have_h, want_w = crop_w ? crop_w : have_w;
  if (want_h == have_h && want_w == have_w) return fitted;
  if (want_h > have_h || want_w > have_w) {
    return Fail(
        ErrorKind::kUsage,
        Text("the picture has ", have_h, " × ", have_w, " pixels (height × width), and ", want_h,
             " × ", want_w, " are to be cut out of it"),
        Text("give --size ", std::llround(static_cast<double>(std::max(want_h, want_w)) * 8 / 7),
             " to resize it before"));
  }
  PARE_ASSIGN(Tensor out, Tensor::Make(DType::kU8, {want_h, want_w, fitted.shape()[2]}));
  return CropCenter(fitted, want_h, want_w, std::move(out));
}

void NormalizePicture(const Preprocess& preprocess, const Tensor& picture, int channels,
                      bool planar, float* out) {
  const int64_t pixels = picture.shape()[0] * picture.shape()[1], have = picture.shape()[2];
  const uint8_t* in = picture.as<uint8_t>().data();
  float table[3][256];
  for (int c = 0; c < channels; ++c) {
    for (int x = 0; x < 256; ++x) {
      table[c][x] =
          static_cast<float>((x * preprocess.scale - preprocess.mean[c]) / preprocess.std[c]);
    }
  }
  const int64_t step = planar ? 1 : channels, plane = planar ? pixels : 1;
  if (channels == 1 && have == 3) {
    for (int64_t i = 0; i < pixels; ++i) {
      const uint8_t* rgb = in + 3 * i;
      out[i] = table[0][(rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16];
    }
    return;
  }
  for (int c = 0; c < channels; ++c) {
    const int source = have == 1 ? 0 : preprocess.bgr ? channels - 1 - c : c;
    const float* values = table[c];
    float* target = out + c * plane;
    for (int64_t i = 0; i < pixels; ++i) target[i * step] = values[in[i * have + source]];
  }
}

}  // namespace pare::data
