#include "compress/quantize/samples.h"

#include <algorithm>

namespace pare::compress {

std::vector<int64_t> Samples::Few(size_t count) const {
  count = std::min(count, calibration_.size());
  std::vector<int64_t> few;
  for (size_t i = 0; i < count; ++i) few.push_back(calibration_[i * calibration_.size() / count]);
  return few;
}

Result<data::Loader> Samples::Load(std::vector<int64_t> indices) const {
  return data::Loader::Make(dataset_, inputs_, std::move(indices), options_);
}

Result<data::Loader> Samples::LoadOneByOne(std::vector<int64_t> indices) const {
  data::LoaderOptions options = options_;
  options.batch = 1;
  return data::Loader::Make(dataset_, inputs_, std::move(indices), options);
}

Result<std::vector<data::Loader>> Samples::Shards(const std::vector<int64_t>& indices) const {
  constexpr size_t kShards = 4;
  std::vector<std::vector<int64_t>> parts(std::min(kShards, indices.size()));
  for (size_t i = 0; i < indices.size(); ++i) parts[i % parts.size()].push_back(indices[i]);
  std::vector<data::Loader> shards;
  for (std::vector<int64_t>& part : parts) {
    PARE_ASSIGN(data::Loader loader, Load(std::move(part)));
    shards.push_back(std::move(loader));
  }
  return shards;
}

}  // namespace pare::compress
