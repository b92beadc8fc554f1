#include "api/train_options.h"

#include <cmath>
#include <string_view>

#include "train/defaults.h"

namespace pare {
namespace {

constexpr double kAny = 9e18;  // all that an int64_t holds

struct Bound {
  std::string_view name;
  double value, low, high;
};

Status Check(const Bound& bound) {
  if (bound.value >= bound.low && bound.value <= bound.high) return {};  // NaN is not
  const bool open = bound.high == kAny;
  return Fail(ErrorKind::kUsage,
              open ? Text(bound.name, " is ", bound.value, ", less than ", bound.low)
                   : Text(bound.name, " is ", bound.value, ", not between ", bound.low, " and ",
                          bound.high),
              "pare/train.h tells what the options mean");
}

double Number(int64_t value) { return static_cast<double>(value); }

Result<std::optional<train::OptimizerKind>> OptimizerOf(const TrainOptions& options) {
  std::optional<train::OptimizerKind> kind;
  if (options.optimizer.empty()) {
    if (options.nesterov) kind = train::OptimizerKind::kSgd;
    return kind;
  }
  PARE_ASSIGN(kind, train::ParseOptimizer(options.optimizer));
  return kind;
}

}  // namespace

Status CheckOptions(const TrainOptions& options) {
  const Bound bounds[] = {
      {"epochs", Number(options.epochs), 0, kAny},
      {"steps", Number(options.steps), 0, kAny},
      {"batch", Number(options.batch), 1, kAny},
      {"parts", Number(options.parts), 1, kAny},
      {"max_memory_mb", Number(options.max_memory_mb), 0, kAny},
      {"rate", options.rate, 0, 1e38},
      {"warmup", Number(options.warmup), 0, kAny},
      {"momentum", options.momentum, 0, 1},
      {"weight_decay", options.weight_decay, 0, 1},
      {"clip_norm", options.clip_norm.value_or(0), 0, 1e9},
      {"ema", options.ema, 0, 0.99999},
      {"validation", Number(options.validation), 0, kAny},
      {"validate_every", Number(options.validate_every), 0, kAny},
      {"patience", Number(options.patience), 0, kAny},
      {"crop_pad", Number(options.crop_pad), 0, kAny},
      {"mixup", options.mixup, 0, 10},
      {"smoothing", options.smoothing, 0, 1},
      {"temperature", options.temperature, 1e-3, 1e3},
      {"alpha", options.alpha, 0, 1},
      {"threads", Number(options.threads), 0, kAny},
  };
  for (const Bound& bound : bounds) PARE_TRY(Check(bound));
  if (options.resume && options.checkpoint.empty()) {
    return Fail(ErrorKind::kUsage, "resume needs the checkpoint to go on from",
                "name it in checkpoint");
  }
  return {};
}

Result<train::TrainOptions> ToInternal(const TrainOptions& options, const graph::Graph& model,
                                       Progress& progress) {
  train::TrainOptions internal;
  internal.epochs = options.epochs;
  internal.steps = options.steps;
  internal.seed = options.seed;
  internal.validate_every = options.validate_every;
  internal.patience = options.patience;
  internal.checkpoint = options.checkpoint;
  internal.resume = options.resume;
  internal.program.batch = options.batch;
  internal.program.parts = options.parts;
  internal.program.max_memory_bytes = train::UnitsOf(options.max_memory_mb, train::kMegabyte);
  internal.program.parameters.freeze = options.freeze;
  internal.program.parameters.only = options.train_only;
  internal.program.keep_zeros = options.keep_zeros;
  PARE_ASSIGN(const auto kind, OptimizerOf(options));
  const train::Defaults defaults = train::DefaultsFor(
      model, {.optimizer = kind,
              .rate = options.rate > 0 ? std::optional(options.rate) : std::nullopt,
              .clip_norm = options.clip_norm});
  if (!defaults.note.empty()) progress.Note(defaults.note);
  train::OptimizerOptions& optimizer = internal.program.optimizer;
  optimizer.kind = defaults.optimizer;
  optimizer.momentum = static_cast<float>(options.momentum);
  optimizer.nesterov = options.nesterov;
  optimizer.weight_decay = static_cast<float>(options.weight_decay);
  optimizer.clip_norm = defaults.clip_norm;
  optimizer.ema = static_cast<float>(options.ema);
  PARE_ASSIGN(internal.schedule.kind, train::ParseSchedule(options.schedule));
  internal.schedule.rate = defaults.rate;
  internal.tries_rates = defaults.tries_rates;
  internal.schedule.warmup_steps = options.warmup;
  internal.augment.flip = options.flip;
  internal.augment.crop_pad = options.crop_pad;
  internal.augment.mixup = static_cast<float>(options.mixup);
  return internal;
}

}  // namespace pare
