#include "train/targets.h"

#include <algorithm>

#include "base/hash.h"
#include "train/loss.h"

namespace pare::train {

using ops::Var;

namespace {

constexpr std::string_view kNames[] = {"mse", "huber", "cosine"};

// The numbers of one sample. Bytes that look like a picture of several channels are turned when
// they are read, and one can't know whether these are.
Result<Tensor> NumbersOf(const data::Dataset& targets, int64_t index) {
  PARE_ASSIGN(const data::Sample sample, targets.Get(index));
  const bool turned = sample.inputs.size() == 1 && sample.inputs[0].picture &&
                      sample.inputs[0].tensor.shape().back() != 1;
  if (sample.inputs.size() == 1 && !turned) return sample.inputs[0].tensor;
  return Fail(Error(ErrorKind::kUsage,
                    turned ? "is a picture, and no numbers" : "has several arrays for a sample",
                    turned ? "store targets as float32"
                           : "targets are one array (.npy, .npz) or the columns of a .csv")
                  .at(targets.SampleName(index)));
}

Result<Tensor> RowOf(const data::Dataset& targets, int64_t index, int64_t count) {
  PARE_ASSIGN(const Tensor row, NumbersOf(targets, index));
  if (row.count() != count) {
    return Fail(Error(ErrorKind::kUsage,
                      Text("has ", row.count(), " values, and the model's first output ", count,
                           " for a sample"),
                      "`pare inspect` shows the output's shape")
                    .at(targets.SampleName(index)));
  }
  return row.dtype() == DType::kF32 ? row : Cast(row, DType::kF32);
}

}  // namespace

Result<Tensor> MixedTargets(const Tensor& rows, const Mixture& mixture) {
  if (mixture.partner.empty()) return rows;
  PARE_ASSIGN(Tensor mixed, Tensor::Make(DType::kF32, rows.shape()));
  const auto from = rows.as<float>();
  const auto to = mixed.mutable_as<float>();
  const size_t width = from.size() / mixture.partner.size();
  for (size_t i = 0; i < from.size(); ++i) {
    const auto partner = static_cast<size_t>(mixture.partner[i / width]);
    to[i] = mixture.weight * from[i] + (1 - mixture.weight) * from[partner * width + i % width];
  }
  return mixed;
}

Result<TargetLoss> ParseTargetLoss(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<TargetLoss>(i);
  }
  return Fail(ErrorKind::kUsage, Text("\"", name, "\" is no loss"),
              "mse, huber or cosine; labels are learned by cross-entropy");
}

Status CheckTargets(const data::Dataset& targets, const data::Dataset& samples) {
  if (targets.size() == samples.size()) return {};
  return Fail(
      ErrorKind::kUsage,
      Text("there are targets for ", targets.size(), " samples, and the data has ", samples.size()),
      "a row of targets for each sample, in the same order");
}

Result<Tensor> TargetRows(const data::Dataset& targets, std::span<const int64_t> indices,
                          const Dims& shape) {
  PARE_ASSIGN(Tensor rows, Tensor::Make(DType::kF32, shape));
  const int64_t count = rows.count() / std::max<int64_t>(1, std::ssize(indices));
  float* to = rows.mutable_as<float>().data();
  for (const int64_t index : indices) {
    PARE_ASSIGN(const Tensor row, RowOf(targets, index, count));
    to = std::ranges::copy(row.as<float>(), to).out;
  }
  return rows;
}

Result<std::unique_ptr<TargetObjective>> TargetObjective::Make(
    std::shared_ptr<const data::Dataset> targets, TargetLoss loss) {
  WordHash content;
  for (int64_t i = 0; i < targets->size(); ++i) {
    PARE_ASSIGN(const Tensor row, NumbersOf(*targets, i));
    content.Add({row.data(), row.bytes()});
  }
  return std::unique_ptr<TargetObjective>(
      new TargetObjective(std::move(targets), loss, content.value()));
}

Result<Var> TargetObjective::Emit(LossContext& context) {
  const Var output = context.outputs()[0];
  shape_ = output.dims();
  if (shape_.empty() || shape_[0] == 0) {
    return Fail(ErrorKind::kUsage, "the first output is one number for all samples",
                "training by targets needs an output of [batch, …]");
  }
  if (loss_ == TargetLoss::kCosine && CountOf(shape_).value_or(0) == shape_[0]) {
    return Fail(ErrorKind::kUsage, "the first output is one number a sample: its cosine is a sign",
                "mse or huber compares numbers");
  }
  const Var target = context.AddTarget("values", shape_);
  if (loss_ == TargetLoss::kHuber) return Huber(output, target);
  if (loss_ == TargetLoss::kCosine) return CosineDistance(output, target);
  return MeanSquare(output, target);
}

Result<std::vector<Tensor>> TargetObjective::Targets(const TrainBatch& batch) {
  PARE_ASSIGN(Tensor rows, TargetRows(*targets_, batch.data.indices, shape_));
  PARE_ASSIGN(rows, MixedTargets(rows, batch.mixture));
  return std::vector{std::move(rows)};
}

std::string TargetObjective::Identity() const {
  return Text("values, targets #", HexText(content_), ", loss ",
              kNames[static_cast<size_t>(loss_)]);
}

}  // namespace pare::train
