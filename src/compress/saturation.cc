#include "compress/saturation.h"

#include <cmath>

#include "compress/for_each_answer.h"
#include "compress/inputs.h"

namespace pare::compress {
namespace {

constexpr double kNotableErrors = 1.5;  // times the other
constexpr double kFaithful = 50;        // dB: more loses nothing, whatever it is beside the other

// What one of the two answered.
struct Answers {
  PairScore pairs;
  LabelScore labels;
  std::vector<Tensor> outputs;

  Status Run(runtime::Session& session, std::span<const Tensor> inputs,
             std::span<const Tensor> expected, const data::Batch& batch, bool classifies) {
    outputs.resize(session.graph().outputs().size());
    PARE_TRY(session.Run(inputs, outputs));
    PARE_TRY(ToF32(outputs));
    PARE_TRY(pairs.Add(expected, outputs, batch.count()));
    if (classifies) labels.Add(outputs[0], batch.labels, batch.count());
    return {};
  }
};

}  // namespace

bool Saturation::notable() const {
  return snr_db_saturating < kFaithful &&
         snr_db - snr_db_saturating >= 10 * std::log10(kNotableErrors);
}
double Saturation::times_the_error() const {
  return std::pow(10, (snr_db - snr_db_saturating) / 10);
}

Result<Saturation> CompareSaturating(runtime::Session& reference, runtime::Session& session,
                                     const graph::Graph& quantized, data::Loader& loader,
                                     Metric metric, const model::Context& context,
                                     Progress& progress) {
  model::Context emulating = context;
  emulating.saturating = true;
  PARE_ASSIGN(const auto emulated, model::MakeSession(quantized, emulating));
  PARE_ASSIGN(const SharedInputs shared, MatchInputs(reference.graph(), quantized));
  const bool classifies = metric == Metric::kTop;
  Answers plain, saturating;
  const auto look = [&](const data::Batch& batch, const std::vector<Tensor>& expected) -> Status {
    PARE_ASSIGN(const auto inputs, shared.Of(batch.inputs));
    PARE_TRY(plain.Run(session, inputs, expected, batch, classifies));
    return saturating.Run(*emulated, inputs, expected, batch, classifies);
  };
  PARE_TRY(
      ForEachAnswer(reference, loader, "verifying as on engines without VNNI", progress, look));
  Saturation found{.samples = plain.pairs.count(),
                   .snr_db = plain.pairs.snr(),
                   .snr_db_saturating = saturating.pairs.snr()};
  if (!classifies) return found;
  found.agreement = plain.pairs.agreement();
  found.agreement_saturating = saturating.pairs.agreement();
  found.top1 = plain.labels.top1();
  found.top1_saturating = saturating.labels.top1();
  return found;
}

}  // namespace pare::compress
