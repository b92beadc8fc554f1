// Builds a small network, trains it on labelled pictures of 32 × 32, and writes it: train DATA OUT
#include "pare/train.h"

#include <cstdio>

namespace {

using pare::Network;
using pare::Value;

// x + f(x): two filters, normalised.
Value Residual(Network& net, Value x, int64_t channels) {
  const Value h = Relu(net.BatchNorm(net.Conv(x, channels, 3)));
  return Relu(net.BatchNorm(net.Conv(h, channels, 3)) + x);
}

pare::Result<pare::Model> Build() {
  Network net(/*seed=*/1);
  Value h = net.Input("pictures", {3, 32, 32});
  h = Relu(net.BatchNorm(net.Conv(h, 16, 3)));
  h = Residual(net, h, 16);
  h = Relu(net.BatchNorm(net.Conv(h, 32, 3, /*stride=*/2)));
  h = Residual(net, h, 32);
  net.Output("logits", net.Linear(GlobalAveragePool(h), 10));
  return net.Build();
}

pare::Status Run(const char* data_path, const char* out_path) {
  PARE_ASSIGN(const auto network, Build());
  PARE_ASSIGN(const auto data, pare::Dataset::Open(data_path));
  pare::TrainOptions options;
  options.preprocess = {{"mean", "0.485,0.456,0.406"}, {"std", "0.229,0.224,0.225"}};
  options.epochs = 2;
  options.validation = 200;
  options.rate = 0.1;
  PARE_ASSIGN(const auto trained, pare::Train(network, data, options));
  std::printf("top-1 %.1f %% -> %.1f %% in %lld steps, %.0f pictures a second\n",
              trained.score_before, trained.score_after, static_cast<long long>(trained.steps),
              trained.samples_per_second);
  return trained.model.Save(out_path);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: train DATA OUT\n");
    return 2;
  }
  const pare::Status status = Run(argv[1], argv[2]);
  if (!status) std::fprintf(stderr, "%s\n", status.error().message().c_str());
  return status ? 0 : 1;
}
