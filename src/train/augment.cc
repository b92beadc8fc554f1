#include "train/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

#include "graph/text.h"

namespace pare::train {
namespace {

tl::unexpected<Error> NoPictures(std::string_view input) {
  return Fail(ErrorKind::kUsage, Text("the input is ", input, " and no batch of pictures"),
              "--flip, --crop-pad and --mixup are for float pictures: leave them out");
}

// A batch of pictures in memory, whatever its layout.
struct Pictures {
  int64_t rows, channels, height, width;
  int64_t channel_step, line_step, pixel_step;

  int64_t size() const { return channels * height * width; }
};

Result<Pictures> PicturesOf(const Tensor& tensor) {
  const Dims& s = tensor.shape();
  if (tensor.dtype() != DType::kF32 || s.size() != 4) return NoPictures(DimsText(s));
  const auto is_color = [](int64_t n) { return n == 1 || n == 3 || n == 4; };
  if (is_color(s[3]) && !is_color(s[1]))
    return Pictures{s[0], s[3], s[1], s[2], 1, s[2] * s[3], s[3]};
  return Pictures{s[0], s[1], s[2], s[3], s[2] * s[3], s[3], 1};
}

// One picture flipped and shifted, from a copy of it.
void Move(const Pictures& p, const float* from, float* to, bool flip, int64_t down, int64_t right,
          std::span<const float> border) {
  for (int64_t c = 0; c < p.channels; ++c) {
    const float outside = border[std::min<size_t>(c, border.size() - 1)];
    for (int64_t y = 0; y < p.height; ++y) {
      for (int64_t x = 0; x < p.width; ++x) {
        const int64_t sy = y + down, sx = (flip ? p.width - 1 - x : x) + right;
        const bool inside = sy >= 0 && sy < p.height && sx >= 0 && sx < p.width;
        to[c * p.channel_step + y * p.line_step + x * p.pixel_step] =
            inside ? from[c * p.channel_step + sy * p.line_step + sx * p.pixel_step] : outside;
      }
    }
  }
}

// Beta(α, α) by two gammas (Marsaglia & Tsang 2000); α < 1 is boosted as there in §6.
float Gamma(float alpha, Random& random) {
  if (alpha < 1) {
    const float boost = std::pow(1 - random.Uniform(), 1 / alpha);
    return Gamma(alpha + 1, random) * boost;
  }
  const float d = alpha - 1.0f / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const float x = random.Normal(), v = std::pow(1 + c * x, 3.0f);
    const float u = 1 - random.Uniform();
    if (v > 0 && std::log(u) < 0.5f * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

void Mix(Tensor& tensor, const Pictures& p, float alpha, Mixture& mixture, Random& random) {
  const float a = Gamma(alpha, random), b = Gamma(alpha, random);
  mixture.weight = std::max(a, b) / std::max(a + b, 1e-20f);
  mixture.partner.resize(p.rows);
  std::iota(mixture.partner.begin(), mixture.partner.end(), 0);
  random.Shuffle(mixture.partner);
  const auto values = tensor.mutable_as<float>();
  const std::vector<float> old(values.begin(), values.end());
  for (int64_t row = 0; row < p.rows; ++row) {
    const float* other = old.data() + mixture.partner[row] * p.size();
    float* own = values.data() + row * p.size();
    for (int64_t i = 0; i < p.size(); ++i)
      own[i] = mixture.weight * own[i] + (1 - mixture.weight) * other[i];
  }
}

// Whether other inputs belong to what Augment changes.
Status CheckOtherInputs(const graph::Graph& model, const AugmentOptions& options) {
  const bool moves = options.flip || options.crop_pad > 0;
  for (size_t i = 1; i < model.inputs().size(); ++i) {
    const graph::Value& input = model.value(model.inputs()[i]);
    const bool picture = input.type.has_rank() && input.type.rank() == 4;
    if (options.mixup <= 0 && !(moves && picture)) continue;
    return Fail(ErrorKind::kUsage,
                Text(options.mixup > 0 ? "--mixup mixes" : "--flip and --crop-pad move",
                     " the first input alone, and \"", input.name, "\" belongs to it"),
                "augment the data itself, and leave them out");
  }
  return {};
}

// A black pixel, by channel.
std::array<float, 3> BlackOf(const data::Preprocess& preprocess) {
  std::array<float, 3> black;
  for (size_t i = 0; i < black.size(); ++i)
    black[i] = static_cast<float>(-preprocess.mean[i] / preprocess.std[i]);
  return black;
}

}  // namespace

Status CheckAugmentation(const graph::Graph& model, const AugmentOptions& options) {
  if (!options.any() || model.inputs().empty()) return {};
  const graph::TensorType& type = model.value(model.inputs()[0]).type;
  const bool pictures = IsFloat(type.dtype) && (!type.has_rank() || type.rank() == 4);
  if (!pictures) return NoPictures(graph::TypeText(type, model.symbols()));
  return CheckOtherInputs(model, options);
}

Status Augment(TrainBatch& batch, const AugmentOptions& options, const data::Preprocess& preprocess,
               Random& random) {
  if (!options.any()) return {};
  Tensor& tensor = batch.data.inputs[0];
  PARE_ASSIGN(const Pictures p, PicturesOf(tensor));
  std::vector<float> copy(p.size());
  const std::array<float, 3> black = BlackOf(preprocess);
  for (int64_t row = 0; row < p.rows && (options.flip || options.crop_pad > 0); ++row) {
    float* picture = tensor.mutable_as<float>().data() + row * p.size();
    const bool flip = options.flip && random.Next() >> 63;
    const auto shift = [&] { return random.Below(2 * options.crop_pad + 1) - options.crop_pad; };
    const int64_t down = shift(), right = shift();
    std::copy_n(picture, p.size(), copy.data());
    Move(p, copy.data(), picture, flip, down, right, black);
  }
  if (options.mixup > 0) Mix(tensor, p, options.mixup, batch.mixture, random);
  return {};
}

}  // namespace pare::train
