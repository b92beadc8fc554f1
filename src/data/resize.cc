// Bilinear resize as in Pillow (Resample.c): each output pixel is a weighted mean of the input
// pixels under a triangle, which is as wide as the step between output pixels where the picture
// shrinks, so that no pixel is passed over. First along the rows, then along the columns, each
// rounded to 8 bits, with weights in fixed point: integers all the way, so the bits are the same
// everywhere.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "data/image.h"

namespace pare::data {
namespace {

constexpr int kWeightBits = 22;

struct Window {  // of one output position: inputs [first, first + count)
  int64_t first;
  int64_t count;
  const int32_t* weights;
};

class Windows {
 public:
  Windows(int64_t in, int64_t out) : out_(out) {
    const double step = static_cast<double>(in) / static_cast<double>(out);
    const double support = std::max(step, 1.0);
    stride_ = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
    first_.resize(out);
    count_.resize(out);
    weights_.resize(out * stride_);
    std::vector<double> exact(stride_);
    for (int64_t i = 0; i < out; ++i) {
      const double center = (static_cast<double>(i) + 0.5) * step;
      const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
      const int64_t end = std::min<int64_t>(in, static_cast<int64_t>(center + support + 0.5));
      double sum = 0;
      for (int64_t k = 0; k < end - first; ++k) {
        const double distance = (static_cast<double>(k + first) - center + 0.5) * (1.0 / support);
        exact[k] = std::max(0.0, 1.0 - std::abs(distance));
        sum += exact[k];
      }
      for (int64_t k = 0; k < end - first; ++k) {
        const double weight = sum != 0 ? exact[k] / sum : exact[k];
        weights_[i * stride_ + k] = static_cast<int32_t>(0.5 + weight * (1 << kWeightBits));
      }
      first_[i] = first;
      count_[i] = end - first;
    }
  }

  int64_t size() const { return out_; }
  Window operator[](int64_t i) const { return {first_[i], count_[i], &weights_[i * stride_]}; }

 private:
  int64_t out_, stride_;
  std::vector<int64_t> first_, count_;
  std::vector<int32_t> weights_;
};

uint8_t Rounded(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

// One row of `channels`-interleaved pixels.
void ResizeRow(const uint8_t* in, const Windows& windows, int64_t channels, uint8_t* out) {
  for (int64_t x = 0; x < windows.size(); ++x) {
    const Window window = windows[x];
    for (int64_t c = 0; c < channels; ++c) {
      const uint8_t* pixel = in + window.first * channels + c;
      int32_t sum = 1 << (kWeightBits - 1);
      for (int64_t k = 0; k < window.count; ++k) sum += pixel[k * channels] * window.weights[k];
      *out++ = Rounded(sum);
    }
  }
}

// One output row from the rows under the window.
void BlendRows(const uint8_t* in, int64_t row_bytes, const Window& window,
               std::vector<int32_t>& sums, uint8_t* out) {
  std::fill(sums.begin(), sums.end(), 1 << (kWeightBits - 1));
  for (int64_t k = 0; k < window.count; ++k) {
    const uint8_t* row = in + (window.first + k) * row_bytes;
    const int32_t weight = window.weights[k];
    for (int64_t i = 0; i < row_bytes; ++i) sums[i] += row[i] * weight;
  }
  for (int64_t i = 0; i < row_bytes; ++i) out[i] = Rounded(sums[i]);
}

}  // namespace

Result<Tensor> ResizeBilinear(const Tensor& image, int64_t height, int64_t width) {
  PARE_DCHECK(image.rank() == 3 && image.dtype() == DType::kU8 && image.count() > 0);
  PARE_DCHECK(height > 0 && width > 0);
  const int64_t rows = image.shape()[0], columns = image.shape()[1], channels = image.shape()[2];
  Tensor current = image;
  if (width != columns) {
    PARE_ASSIGN(Tensor narrow, Tensor::Make(DType::kU8, {rows, width, channels}));
    const Windows windows(columns, width);
    const uint8_t* in = current.as<uint8_t>().data();
    uint8_t* out = narrow.mutable_as<uint8_t>().data();
    for (int64_t y = 0; y < rows; ++y) {
      ResizeRow(in + y * columns * channels, windows, channels, out + y * width * channels);
    }
    current = std::move(narrow);
  }
  if (height != rows) {
    PARE_ASSIGN(Tensor flat, Tensor::Make(DType::kU8, {height, width, channels}));
    const Windows windows(rows, height);
    const int64_t row_bytes = width * channels;
    std::vector<int32_t> sums(row_bytes);
    const uint8_t* in = current.as<uint8_t>().data();
    uint8_t* out = flat.mutable_as<uint8_t>().data();
    for (int64_t y = 0; y < height; ++y) {
      BlendRows(in, row_bytes, windows[y], sums, out + y * row_bytes);
    }
    current = std::move(flat);
  }
  return current;
}

}  // namespace pare::data
