#include "cli/tuning.h"

#include <cmath>

#include "cli/text.h"
#include "cli/training.h"
#include "train/defaults.h"

namespace pare::cli {

void TuningOptions::Declare(Parser& parser) {
  parser.Group("tuning");
  parser.Flag("--tune", on,
              "train the quantized model to answer as the float model does, without labels, on all "
              "samples but those that verify");
  parser.Option("--steps", "N", steps, 1, "of training (default 500)");
  parser.Option("--epochs", "N", epochs, 1, "passes over the samples, instead of --steps");
  parser.Option("--tune-batch", "N", batch, 1, "samples a step (default 64)");
  parser.Option("--max-memory", "MB", max_memory_mb, 1,
                "that a step may take; activations are computed anew where they don't fit");
  parser.Option("--tune-validation", "N", validation, 1,
                "samples that are kept back, to choose the best weights by (default 500, at most a "
                "quarter)");
  parser.Option(
      "--optimizer", "NAME",
      [this](std::string_view name) -> Status {
        PARE_ASSIGN(optimizer, train::ParseOptimizer(name));
        return {};
      },
      "adamw (default) or sgd");
  parser.Option("--rate", "R", rate, 0, 1e38,
                "highest learning rate (default: adamw 0.0002, sgd 0.01)");
  parser.Option("--temperature", "T", temperature, 1e-3, 1e3, "of soft logits (default 4)");
  parser.Option("--alpha", "A", alpha, 0, 1,
                "the float model's part; the rest is the labels' (default 1: no labels needed)");
  DeclareRun(parser);
}

void TuningOptions::DeclareRun(Parser& parser) {
  parser.Flag("--keep-zeros", tune.train.program.keep_zeros,
              "weights that are 0 stay 0: a sparse model stays sparse");
  parser.Flag("--flip", tune.train.augment.flip, "every other picture from the other side");
  parser.Option("--crop-pad", "N", tune.train.augment.crop_pad, 0, "shift by up to N pixels");
  parser.Option("--validate-every", "N", validate_every, 1, "steps (default 100)");
  parser.Option("--checkpoint", "FILE", tune.train.checkpoint,
                "keep the run there at each validation and on Ctrl-C (.npz)");
  parser.Flag("--resume", tune.train.resume, "go on from --checkpoint, to the same bits");
}

bool TuningOptions::any() const {
  return rate || alpha || temperature || epochs || steps || batch || validation || validate_every ||
         max_memory_mb || optimizer || tune.train.resume || tune.train.augment.any() ||
         tune.train.program.keep_zeros || !tune.train.checkpoint.empty();
}

Status TuningOptions::Check() const {
  if (!on && any()) {
    return Fail(ErrorKind::kUsage, "options of tuning were given, but not --tune",
                "add --tune, or leave them out");
  }
  if (rate == 0.0)
    return Fail(ErrorKind::kUsage, "at --rate 0 nothing is learned", "a rate above 0");
  if (temperature && alpha == 0.0) {
    return Fail(ErrorKind::kUsage,
                "--temperature has no effect: at --alpha 0 the float model teaches nothing",
                "leave one of them out");
  }
  if (epochs && steps)
    return Fail(ErrorKind::kUsage, "--epochs and --steps are both given", "one of them is enough");
  if (tune.train.resume && tune.train.checkpoint.empty()) {
    return Fail(ErrorKind::kUsage, "--resume needs the checkpoint to go on from",
                "add --checkpoint FILE");
  }
  return {};
}

Result<std::optional<compress::TuneOptions>> TuningOptions::Make(const data::Dataset& dataset,
                                                                 const DataOptions& data) const {
  PARE_TRY(Check());
  if (!on) return std::optional<compress::TuneOptions>();
  compress::TuneOptions made = tune;
  made.train.program.optimizer.kind = optimizer.value_or(made.train.program.optimizer.kind);
  made.train.schedule.rate =
      rate.value_or(compress::DefaultTuneRate(made.train.program.optimizer.kind));
  made.train.epochs = epochs.value_or(made.train.epochs);
  made.train.steps = epochs ? 0 : steps.value_or(made.train.steps);
  made.train.program.batch = batch.value_or(made.train.program.batch);
  made.train.program.max_memory_bytes = train::UnitsOf(max_memory_mb.value_or(0), train::kMegabyte);
  made.train.validate_every = validate_every.value_or(made.train.validate_every);
  made.validation = validation.value_or(made.validation);
  made.alpha = static_cast<float>(alpha.value_or(made.alpha));
  made.temperature = static_cast<float>(temperature.value_or(made.temperature));
  if (made.alpha < 1) PARE_TRY(CheckHasLabels(data, dataset));
  PARE_TRY(train::CheckCheckpoint(made.train));
  return std::optional(std::move(made));
}

Json TunedJson(const std::optional<compress::Tuned>& tuned) {
  if (!tuned) return Json();
  Json history = Json::ArrayOf(tuned->history, [](const train::HistoryRow& row) {
    return Json::Object({{"step", row.step},
                         {"loss", row.loss},
                         {"rate", row.rate},
                         {"snr_db", row.score},
                         {"seconds", row.seconds}});
  });
  return Json::Object({{"kept", tuned->kept},
                       {"snr_db_before", tuned->snr_before},
                       {"snr_db_after", tuned->snr_after},
                       {"agreement_before", tuned->agreement_before},
                       {"agreement_after", tuned->agreement_after},
                       {"steps", tuned->steps},
                       {"best_step", tuned->best_step},
                       {"seconds", tuned->seconds},
                       {"samples_per_second", tuned->samples_per_second},
                       {"training_samples", tuned->training_samples},
                       {"validation_samples", tuned->validation_samples},
                       {"history", std::move(history)}});
}

std::string TunedText(const compress::Tuned& tuned) {
  std::string text = Text("tuned on ", tuned.training_samples, " samples in ", tuned.steps,
                          " steps (", PaceText(tuned.seconds, tuned.samples_per_second), "); on ",
                          tuned.validation_samples, " others the outputs went from ",
                          Fixed(tuned.snr_before, 1), " to ", Fixed(tuned.snr_after, 1), " dB");
  if (tuned.agreement_before && tuned.agreement_after) {
    text += Text(", agreement with the float model from ", Fixed(*tuned.agreement_before, 2),
                 " to ", Fixed(*tuned.agreement_after, 2), " %");
  }
  return text + (tuned.kept ? Text(": the tuned weights of step ", tuned.best_step, " were kept\n")
                            : std::string(": the weights as they were before were kept\n"));
}

}  // namespace pare::cli
