// Quantizes a model from a program of one's own: quantize MODEL DATA OUT
#include <cstdio>

#include "pare/compress.h"
#include "pare/session.h"

namespace {

pare::Status Run(const char* model_path, const char* data_path, const char* out_path) {
  PARE_ASSIGN(const auto model, pare::Model::Load(model_path));
  PARE_ASSIGN(const auto data, pare::Dataset::Open(data_path));
  const pare::QuantizeOptions options{
      .preprocess = {{"mean", "0.485,0.456,0.406"}, {"std", "0.229,0.224,0.225"}},
      .calibration = 100,
      .verification = 300,
      .keep_float = {},
      .max_drop = 2.0};
  PARE_ASSIGN(const auto result, pare::Quantize(model, data, options));
  std::printf("top-1 %.2f %% -> %.2f %%, agreement %.2f %%, %.2f times as fast\n",
              result.top1_a.value_or(0), result.top1_b.value_or(0), result.agreement.value_or(0),
              result.speedup);
  return result.model.Save(out_path);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: quantize MODEL DATA OUT\n");
    return 2;
  }
  const pare::Status status = Run(argv[1], argv[2], argv[3]);
  if (!status) std::fprintf(stderr, "%s\n", status.error().message().c_str());
  return status ? 0 : 1;
}
