#include <random>
#include <vector>

#include "kernels/benching.h"
#include "kernels/qconv/qconv.h"
#include "kernels/qdwconv/qdwconv.h"

namespace pare::kernels {
namespace {

struct Layer {
  int64_t size, in_c, out_c, kernel = 1, stride = 1, count = 1;
  bool depthwise = false;

  QConvShape shape() const {
    const int64_t out = (size - 1) / stride + 1;
    return {.in_h = size,
            .in_w = size,
            .in_c = in_c,
            .out_h = out,
            .out_w = out,
            .out_c = out_c,
            .kernel_h = kernel,
            .kernel_w = kernel,
            .stride_h = stride,
            .stride_w = stride,
            .pad_top = kernel / 2,
            .pad_left = kernel / 2,
            .groups = depthwise ? in_c : 1};
  }
  double macs() const {
    const QConvShape s = shape();
    return static_cast<double>(s.pixels() * s.out_c * s.depth());
  }
};

// MobileNetV2 at 224×224.
const Layer kPointwise[] = {
    {112, 32, 16},          {112, 16, 96},          {56, 96, 24},           {56, 24, 144, 1, 1, 2},
    {56, 144, 24},          {28, 144, 32},          {28, 32, 192, 1, 1, 3}, {28, 192, 32, 1, 1, 2},
    {14, 192, 64},          {14, 64, 384, 1, 1, 4}, {14, 384, 64, 1, 1, 3}, {14, 384, 96},
    {14, 96, 576, 1, 1, 3}, {14, 576, 96, 1, 1, 2}, {7, 576, 160},          {7, 160, 960, 1, 1, 3},
    {7, 960, 160, 1, 1, 2}, {7, 960, 320},          {7, 320, 1280}};
const Layer kDepthwise[] = {{112, 32, 32, 3, 1, 1, true},  {112, 96, 96, 3, 2, 1, true},
                            {56, 144, 144, 3, 1, 1, true}, {56, 144, 144, 3, 2, 1, true},
                            {28, 192, 192, 3, 1, 2, true}, {28, 192, 192, 3, 2, 1, true},
                            {14, 384, 384, 3, 1, 4, true}, {14, 576, 576, 3, 1, 2, true},
                            {14, 576, 576, 3, 2, 1, true}, {7, 960, 960, 3, 1, 3, true}};
// The stem, 5×5 depthwise of MobileNetV3, 3×3 of ResNets (ImageNet and CIFAR), a classifier.
const Layer kOthers[] = {{224, 3, 32, 3, 2},
                         {28, 120, 120, 5, 1, 1, true},
                         {14, 672, 672, 5, 1, 1, true},
                         {56, 64, 64, 3},
                         {14, 256, 256, 3},
                         {7, 512, 512, 3},
                         {32, 16, 16, 3},
                         {16, 32, 32, 3},
                         {8, 64, 64, 3},
                         {1, 1280, 1000}};

// A layer with weights like trained ones: bell-shaped, the largest of a channel at 127.
class Prepared {
 public:
  Prepared(const Row<QConvKernel>& row, const Layer& layer)
      : row_(row),
        shape_(layer.shape()),
        packed_(row->packed_bytes(shape_)),
        scratch_(row->scratch_bytes(shape_)),
        x_(shape_.in_h * shape_.in_w * shape_.in_c),
        y_(shape_.pixels() * shape_.out_c) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0.0f, 35.0f);
    std::vector<int8_t> w(static_cast<size_t>(shape_.out_c * shape_.depth()));
    for (int8_t& value : w) {
      const float drawn = normal(random);
      value = static_cast<int8_t>(drawn > 127 ? 127 : drawn < -127 ? -127 : drawn);
    }
    const std::vector<float> scale(static_cast<size_t>(shape_.out_c), 1e-3f);
    row->pack(shape_, {.w = w.data(), .scale = scale.data(), .x_zero_point = 3}, packed_.data());
    args_ = {.shape = shape_,
             .packed = packed_.data(),
             .x = x_.data(),
             .y = y_.data(),
             .y_zero_point = 100};
  }
  void Run() { row_->run(args_, 0, row_->tasks(shape_), scratch_.data()); }

 private:
  const Row<QConvKernel>& row_;
  QConvShape shape_;
  Aligned<uint8_t> packed_, scratch_, x_, y_;
  QConvArgs args_;
};

void Bench(benchmark::State& state, const Row<QConvKernel>& row, const std::vector<Layer>& layers) {
  std::vector<std::unique_ptr<Prepared>> prepared;
  double macs = 0;
  for (const Layer& layer : layers) {
    for (int64_t i = 0; i < layer.count; ++i) {
      prepared.push_back(std::make_unique<Prepared>(row, layer));
      macs += layer.macs();
    }
  }
  for (auto _ : state) {
    for (auto& layer : prepared) layer->Run();
  }
  CountMacs(state, macs);
}

// Every layer alone, and all of them as they follow each other in the network.
void RegisterLayers(const char* name, const std::vector<Layer>& layers) {
  static const Cpu cpu = DetectCpu();
  const auto rows = layers[0].depthwise ? QDwConvRows() : QConvRows();
  for (const Row<QConvKernel>& row : rows) {
    if (row.isa == Isa::kScalar || !cpu.has(row.isa)) continue;
    const std::string all = std::string(row.name) + "/" + name;
    benchmark::RegisterBenchmark(
        all.c_str(), [&row, layers](benchmark::State& state) { Bench(state, row, layers); })
        ->MinTime(0.1)
        ->Unit(benchmark::kMicrosecond);
  }
  for (const Layer& layer : layers) {
    RegisterRows(layer.depthwise ? QDwConvRows() : QConvRows(), layer.shape(),
                 [layer](benchmark::State& state, const Row<QConvKernel>& row, const QConvShape&) {
                   Layer one = layer;
                   one.count = 1;
                   Bench(state, row, {one});
                 },
                 {{"size", layer.size},
                  {"in", layer.in_c},
                  {"out", layer.out_c},
                  {"kernel", layer.kernel},
                  {"stride", layer.stride}});
  }
}

const bool kRegistered = [] {
  RegisterLayers("mobilenet_v2_pointwise", {std::begin(kPointwise), std::end(kPointwise)});
  RegisterLayers("mobilenet_v2_depthwise", {std::begin(kDepthwise), std::end(kDepthwise)});
  for (const Layer& layer : kOthers) RegisterLayers("other", {layer});
  return true;
}();

}  // namespace
}  // namespace pare::kernels
