#include "train/trace.h"

#include <filesystem>

#include "data/npy.h"

namespace pare::train {
namespace {

Tensor Integers(const std::vector<int64_t>& values) {
  return Tensor::Of<int64_t>({std::ssize(values)}, values);
}

std::string Padded(int64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
}

}  // namespace

Result<Trace> Trace::Begin(const std::string& folder) {
  Trace trace;
  trace.folder_ = folder;
  std::error_code error;
  if (!folder.empty() && !std::filesystem::create_directories(folder, error) && error)
    return Fail(Error(ErrorKind::kIo, Text("can't be made: ", error.message()), "").at(folder));
  return trace;
}

Status Trace::WriteStart(const Program& program, const std::string& run) const {
  if (folder_.empty()) return {};
  return SaveCheckpoint(folder_ + "/start.npz", program, {}, run);
}

Status Trace::WriteStep(const graph::Graph& model, const TrainBatch& batch, const StepPlace& place,
                        int64_t parts, float loss) const {
  if (folder_.empty()) return {};
  data::NamedTensors arrays{{"labels", Integers(batch.data.labels)},
                            {"loss", Tensor::Scalar(loss)},
                            {"rate", Tensor::Scalar(place.rate)}};
  for (size_t i = 0; i < batch.data.inputs.size(); ++i)
    arrays.emplace_back("input/" + model.value(model.inputs()[i]).name, batch.data.inputs[i]);
  if (!batch.mixture.partner.empty()) {
    arrays.emplace_back("partner", Integers(batch.mixture.partner));
    arrays.emplace_back("weight", Tensor::Scalar(batch.mixture.weight));
  }
  const std::string part = parts > 1 ? Text("_", place.part) : "";
  return data::SaveNpz(Text(folder_, "/step_", Padded(place.step), part, ".npz"), arrays);
}

}  // namespace pare::train
