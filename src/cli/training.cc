#include "cli/training.h"

#include <algorithm>
#include <cmath>

#include "cli/curve.h"
#include "cli/report.h"
#include "cli/run_record.h"
#include "cli/text.h"
#include "compress/trainable.h"
#include "compress/widen.h"
#include "onnx/export.h"
#include "platform/file.h"
#include "platform/memory.h"
#include "train/defaults.h"
#include "train/named_weights.h"

namespace pare::cli {
namespace {

using train::OptimizerKind;

// A float option with bounds.
void DeclareFloat(Parser& parser, std::string names, std::string value, float& target, double low,
                  double high, std::string help) {
  parser.Option(
      std::move(names), std::move(value),
      [&target, low, high](std::string_view text) -> Status {
        std::optional<double> number;
        PARE_TRY(ParseNumber(text, low, high, number));
        target = static_cast<float>(*number);
        return {};
      },
      std::move(help));
}

Status WriteText(const std::string& path, std::string_view text) {
  PARE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  PARE_TRY(file.Write(text));
  return file.Commit();
}

// What the file tells beside the weights. It is made before the first step, so that nothing but
// writing can fail behind the last one.
struct FileNotes {
  std::map<std::string, std::string> metadata;
  Json record;
};

Result<FileNotes> NotesOf(const TrainingOptions& options, const train::TrainOptions& how,
                          const TrainingJob& job) {
  const train::OptimizerOptions& optimizer = how.program.optimizer;
  FileNotes notes{.metadata = job.model.graph().metadata, .record = {}};
  PARE_TRY(
      StoreData(options.data, *job.setup.dataset, job.model, notes.metadata, job.targets_apart));
  PARE_ASSIGN(notes.record, RunRecord({.command = job.command,
                                       .model = job.model.path(),
                                       .data = options.data,
                                       .dataset = *job.setup.dataset,
                                       .seed = options.train.seed}));
  if (!job.teachers.empty()) notes.record.Set("teachers", Json::ArrayOf(job.teachers));
  notes.record.Set("training", job.setup.split.training.size());
  notes.record.Set("validation", job.setup.split.validation.size());
  notes.record.Set("optimizer", train::OptimizerName(optimizer.kind));
  if (!optimizer.no_decay.empty()) {
    notes.record.Set("no_decay", Json::ArrayOf(optimizer.no_decay));
  }
  if (options.train.program.keep_zeros) notes.record.Set("keep_zeros", true);
  return notes;
}

Status WriteCurve(const TrainingOptions& options, const TrainingJob& job,
                  const train::Trained& trained) {
  if (options.curve.empty()) return {};
  PARE_TRY(WriteText(options.curve + ".csv", CurveCsv(trained.history)));
  return WriteText(options.curve + ".svg", CurveSvg(trained.history, job.score_name));
}

graph::Graph Described(const TrainingJob& job, FileNotes notes, const train::Trained& trained) {
  notes.record.Set("objective", job.objective.Identity());
  notes.record.Set("steps", trained.steps);
  notes.record.Set("batch", trained.batch);
  notes.record.Set("rate", trained.rate);
  graph::Graph graph = trained.graph;
  graph.metadata = std::move(notes.metadata);
  graph.metadata[kRunKey] = notes.record.Text();
  graph.metadata.erase(compress::kOutputsKey);
  if (job.values) graph.metadata[compress::kOutputsKey] = "values";
  return graph;
}

}  // namespace

Status TrainingOptions::Check() const {
  if (train.resume && train.checkpoint.empty()) {
    return Fail(ErrorKind::kUsage, "--resume needs the checkpoint to go on from",
                "add --checkpoint FILE");
  }
  if (train.checkpoint_every > 0 && train.checkpoint.empty()) {
    return Fail(ErrorKind::kUsage, "--checkpoint-every has no effect: no checkpoint is kept",
                "add --checkpoint FILE, or leave it out");
  }
  if (given_rate == 0.0)
    return Fail(ErrorKind::kUsage, "at --rate 0 nothing is learned", "a rate above 0");
  if (given_epochs && given_steps)
    return Fail(ErrorKind::kUsage, "--epochs and --steps are both given", "one of them is enough");
  const train::OptimizerOptions& optimizer = train.program.optimizer;
  if (!optimizer.no_decay.empty() && optimizer.weight_decay == 0) {
    return Fail(ErrorKind::kUsage, "--no-decay spares weights, and none decay",
                "--weight-decay D lets them, or leave it out");
  }
  const bool other = given_optimizer && *given_optimizer != OptimizerKind::kSgd;
  if (other && (given_momentum || optimizer.nesterov)) {
    return Fail(ErrorKind::kUsage,
                Text(given_momentum ? "--momentum" : "--nesterov", " is sgd's, and --optimizer is ",
                     train::OptimizerName(*given_optimizer)),
                "leave it out");
  }
  return {};
}

train::TrainOptions TrainingOptions::How() const {
  train::TrainOptions how = train;
  how.epochs = given_epochs.value_or(how.epochs);
  how.steps = given_steps.value_or(how.steps);
  how.program.max_memory_bytes = train::UnitsOf(max_memory_mb, train::kMegabyte);
  if (given_momentum) how.program.optimizer.momentum = static_cast<float>(*given_momentum);
  return how;
}

void TrainingOptions::UseDefaultsFor(const graph::Graph& graph, Console& console) {
  const bool as_sgd = given_momentum || train.program.optimizer.nesterov;
  const train::Defaults defaults = train::DefaultsFor(
      graph, {.optimizer = given_optimizer || !as_sgd ? given_optimizer : OptimizerKind::kSgd,
              .rate = given_rate,
              .clip_norm = given_clip});
  train.program.optimizer.kind = defaults.optimizer;
  train.program.optimizer.clip_norm = defaults.clip_norm;
  train.schedule.rate = defaults.rate;
  train.tries_rates = defaults.tries_rates;
  if (!defaults.note.empty()) console.Note(defaults.note);
}

CommandFiles TrainingOptions::Files() const {
  CommandFiles files;
  data.AddTo(files);
  files.Write(output);
  files.Write(train.checkpoint);
  files.WriteFolder(train.trace);
  for (const char* extension : {".csv", ".svg"}) {
    if (!curve.empty()) files.Write(curve + extension);
  }
  return files;
}

void TrainingOptions::Declare(Parser& parser) {
  parser.Group("result");
  parser.Option("-o, --output", "FILE", output, "where the trained model goes");
  parser.Required();
  parser.Option("--curve", "STEM", curve, "write STEM.csv and STEM.svg: loss and validation");
  data.Declare(parser, DataOptions::Need::kRequired);
  DeclareTraining(parser);
  parser.Group("machine");
  parser.Option("--threads", "N", threads, 0,
                "threads to compute with (default: all that affinity and quota allow)");
}

void TrainingOptions::DeclareTraining(Parser& parser) {
  DeclareRun(parser);
  DeclareOptimizer(parser);
  DeclareAugmentation(parser);
}

void TrainingOptions::DeclareRun(Parser& parser) {
  parser.Group("run");
  parser.Option("--epochs", "N", given_epochs, 1,
                "passes over the training samples (default 10, or as many as make 200 steps)");
  parser.Option("--steps", "N", given_steps, 1, "steps in all, instead of --epochs");
  parser.Option("--batch", "N", train.program.batch, 1, "samples a step (default 64)");
  parser.Option("--parts", "N", train.program.parts, 1,
                "compute a step's batch in N parts and add up their gradients (default 1)");
  parser.Option("--max-memory", "MB", max_memory_mb, 1,
                "that a step may take; activations are computed anew where they don't fit");
  parser.Option(
      "--validation", "N", validation, 0,
      "samples that are kept back, to choose the best weights by: their score, and their loss "
      "where scores differ by four samples or fewer (default 1000, at most a quarter)");
  parser.Option("--validate-every", "N", train.validate_every, 1, "steps (default: an epoch)");
  parser.Option("--patience", "N", train.patience, 1,
                "stop after so many validations without a gain");
  parser.Option("--seed", "N", train.seed, 0,
                "of the order of samples and the augmentation (default 0)");
  parser.Option("--checkpoint", "FILE", train.checkpoint,
                "keep the run there at each validation and on Ctrl-C (.npz)");
  parser.Option("--checkpoint-every", "N", train.checkpoint_every, 1, "and every N steps");
  parser.Flag("--resume", train.resume, "go on from --checkpoint, to the same bits");
  parser.Option("--trace", "DIR", train.trace,
                "write the weights of the start and the batch and loss of each step there (.npz)");
  parser.Option("--freeze", "PATTERN", train.program.parameters.freeze,
                "weights that stay as they are (repeatable; * and ?)");
  parser.Option("--train-only", "PATTERN", train.program.parameters.only,
                "train nothing but these weights (repeatable)");
  parser.Flag("--keep-zeros", train.program.keep_zeros,
              "weights of matrices and filters that are 0 stay 0: a sparse model stays sparse");
}

void TrainingOptions::DeclareOptimizer(Parser& parser) {
  parser.Group("optimizer");
  train::OptimizerOptions& optimizer = train.program.optimizer;
  parser.Option(
      "--optimizer", "NAME",
      [this](std::string_view name) -> Status {
        PARE_ASSIGN(given_optimizer, train::ParseOptimizer(name));
        return {};
      },
      "sgd or adamw (default: sgd for networks with BatchNormalization and without attention or "
      "layer normalization, else adamw)");
  parser.Option(
      "--rate", "R", given_rate, 0, 1e38,
      "highest learning rate (default: the best of some short trials around 0.05 for sgd, "
      "0.001 for adamw)");
  parser.Option(
      "--schedule", "NAME",
      [this](std::string_view name) -> Status {
        PARE_ASSIGN(train.schedule.kind, train::ParseSchedule(name));
        return {};
      },
      "cosine (default), constant, step or one-cycle");
  parser.Option("--warmup", "STEPS", train.schedule.warmup_steps, 0,
                "steps until the full rate (default 0)");
  parser.Option("--momentum", "M", given_momentum, 0, 1, "of sgd (default 0.9)");
  parser.Flag("--nesterov", optimizer.nesterov, "look ahead with sgd's momentum");
  DeclareFloat(parser, "--weight-decay", "D", optimizer.weight_decay, 0, 1,
               "of matrices and filters (default 0)");
  parser.Option("--no-decay", "PATTERN", optimizer.no_decay,
                "weights that don't decay, by their name or a node's (repeatable)");
  parser.Option("--clip", "NORM", given_clip, 0, 1e9,
                "limit of the gradient's length; 0: none (default: none; 1 for convolutions that "
                "nothing normalizes)");
  DeclareFloat(parser, "--ema", "DECAY", optimizer.ema, 0, 0.99999,
               "write weights averaged over the steps, e.g. 0.999 (default: the last ones)");
}

void TrainingOptions::DeclareAugmentation(Parser& parser) {
  parser.Group("augmentation of pictures (none by default)");
  parser.Flag("--flip", train.augment.flip, "every other picture from the other side");
  parser.Option("--crop-pad", "N", train.augment.crop_pad, 0, "shift by up to N pixels");
  DeclareFloat(parser, "--mixup", "ALPHA", train.augment.mixup, 0, 10,
               "mix pictures (and their labels) in pairs");
}

Result<model::Model> LoadTrainable(const std::string& path, const TrainingOptions& options,
                                   CommandFiles& files, Console& console) {
  files.Read(path);
  PARE_TRY(files.Check());
  PARE_ASSIGN(model::Model model, model::Model::Load(path, train::kTrainable));
  files.Read(model.data_files());
  PARE_ASSIGN(graph::Graph wide, compress::Widened(model.graph(), console, train::kTrainable));
  PARE_TRY(OfModel(compress::CheckTrainable(wide, options.train.program.parameters), path));
  model.set_graph(std::move(wide));
  PARE_TRY(options.data.ApplyTo(model));
  return model;
}

Result<TrainingSetup> SetUpTraining(const TrainingOptions& options, const model::Model& model,
                                    const model::Model& known, CommandFiles& files,
                                    Console& console, std::span<const model::Model* const> others) {
  TrainingSetup setup;
  PARE_ASSIGN(setup.dataset, options.data.Open(known, console, others));
  files.Read(setup.dataset->files());
  PARE_TRY(files.Check());
  setup.split = compress::SplitForTraining(*setup.dataset, options.validation, options.data.limit,
                                           options.train.seed);
  setup.validation = {.dataset = setup.dataset,
                      .indices = setup.split.validation,
                      .preprocess = model.preprocess(),
                      .batch = options.train.program.batch};
  setup.context = model::Context::Make(AllowedThreads(options.threads, console));
  return setup;
}

namespace {

// Nothing that a teacher could add.
bool BeganPerfect(const TrainingReport& report) {
  const train::Trained& t = report.trained;
  if (report.score_name == "snr") return t.start_score >= 200;
  if (report.score_name == "cosine" || report.score_name == "r2") return t.start_score >= 1;
  return report.score_name != "top-1" && t.start_score >= 100 && t.start_loss.value_or(0) < 1e-6;
}

void NoteOutcome(const TrainingReport& report, Console& console) {
  const train::Trained& t = report.trained;
  if (t.best_step == 0) {
    console.Note(Text("no validation was better than the weights at the start: these are written",
                      BeganPerfect(report)
                          ? ", which answer as the teacher does already"
                          : "; more steps, another --rate or --optimizer may help"));
  } else if (t.best_score < t.start_score) {
    console.Note(Text("the ", report.score_name,
                      " is lower than at the start by no more than these samples can tell: of "
                      "such validations the one with the lowest loss counts"));
  }
  if (report.score_name == "r2" && t.best_score < 0) {
    console.Note(
        "R² below 0: the targets' mean alone would be nearer; where they are far from 0, or spread "
        "widely, numbers of about 1 are learned in fewer steps, or with a higher --rate");
  }
}

}  // namespace

Result<TrainingReport> RunTraining(const TrainingOptions& options, const TrainingJob& job,
                                   Console& console) {
  const TrainingSetup& setup = job.setup;
  train::TrainOptions how = options.How();
  how.score_name = job.score_name;
  std::vector<std::string>& spared = how.program.optimizer.no_decay;
  PARE_ASSIGN(spared, OfModel(train::NamedWeights(job.model.graph(), how.program.parameters, spared,
                                                  "--no-decay"),
                              job.model.path()));
  PARE_ASSIGN(const FileNotes notes, NotesOf(options, how, job));
  std::optional<int64_t> rescued;  // the step
  const auto rescue = [&](const train::Trained& best) -> Result<std::string> {
    PARE_TRY(onnx::Export(Described(job, notes, best), options.output));
    rescued = best.best_step;
    if (const Status curve = WriteCurve(options, job, best); !curve)
      console.Note(curve.error().message());
    return Printable(options.output);
  };
  if (options.writes) how.rescue = rescue;
  const data::Preprocess& preprocess = job.model.preprocess();
  TrainingReport report{
      .options = options, .trained = {}, .score_name = job.score_name, .notes = {}};
  report.training_samples = std::ssize(setup.split.training);
  report.validation_samples = std::ssize(setup.split.validation);
  const train::Score score = setup.split.validation.empty() ? train::Score() : job.score;
  if (!score && options.validation != 0) {
    console.Note(
        "too few samples to keep any back: nothing tells whether the weights at the end, which are "
        "written, are better than those at the start");
  }
  auto trained =
      OfModel(train::Train(job.model.graph(), setup.dataset, setup.split.training, preprocess,
                           job.objective, score, setup.context, how, console),
              job.model.path());
  if (!trained && options.writes) {
    console.set_before_error(Json::Object(
        {{"output", rescued ? Json(options.output) : Json()}, {"best_step", rescued}}));
  }
  PARE_ASSIGN(report.trained, std::move(trained));
  report.score_before = report.trained.start_score;
  report.score_after = report.trained.best_score;
  if (score) NoteOutcome(report, console);
  report.trained.graph = Described(job, notes, report.trained);
  if (options.writes) {
    PARE_TRY(onnx::Export(report.trained.graph, options.output));
    PARE_ASSIGN(const auto file, MappedFile::Open(options.output));
    report.bytes = static_cast<int64_t>(file->bytes().size());
  }
  PARE_TRY(WriteCurve(options, job, report.trained));
  report.peak_bytes = PeakRssBytes();
  report.notes = console.notes();
  return report;
}

namespace {

// Of a score that is a share of the validation's samples.
std::optional<compress::Bounds> BoundsOf(const TrainingReport& report, double score) {
  const bool share = report.score_name == "top-1" || report.score_name == "agreement";
  if (!share || report.validation_samples == 0) return std::nullopt;
  const auto right = std::llround(score / 100 * static_cast<double>(report.validation_samples));
  return compress::ShareBounds(right, report.validation_samples);
}

// Of the change of the score on the same samples; nothing where the weights are those of the start.
std::optional<compress::Bounds> ChangeOf(const TrainingReport& report) {
  const train::Trained& t = report.trained;
  if (t.best_step == 0) return std::nullopt;
  return compress::ChangeBounds(t.start_right, t.best_right);
}

std::string ScoreText(const TrainingReport& report, double score) {
  if (report.score_name == "cosine" || report.score_name == "r2") return Fixed(score, 5);
  if (report.score_name == "snr") return Fixed(score, 2) + " dB";
  return ShareText(score, BoundsOf(report, score));
}

}  // namespace

Json ToJson(const TrainingReport& report) {
  const train::Trained& t = report.trained;
  Json history = Json::ArrayOf(t.history, [](const train::HistoryRow& row) {
    return Json::Object({{"step", row.step},
                         {"epoch", row.epoch},
                         {"loss", row.loss},
                         {"rate", row.rate},
                         {"score", row.score},
                         {"validation_loss", row.validation_loss},
                         {"seconds", row.seconds}});
  });
  const auto scored = [&](double score) {
    return report.validation_samples > 0 ? std::optional(score) : std::nullopt;
  };
  Json json = Json::Object({{"output", report.options.output},
                            {"score", report.score_name},
                            {"score_before", scored(report.score_before)},
                            {"score_after", scored(report.score_after)},
                            {"validation_loss_before", t.start_loss},
                            {"validation_loss_after", t.best_loss},
                            {"steps", t.steps},
                            {"best_step", t.best_step},
                            {"batch", t.batch},
                            {"rate", t.rate},
                            {"seconds", t.seconds},
                            {"samples_per_second", t.samples_per_second},
                            {"training_samples", report.training_samples},
                            {"validation_samples", report.validation_samples},
                            {"bytes", report.bytes},
                            {"peak_memory_bytes", report.peak_bytes},
                            {"history", std::move(history)},
                            {"notes", Json::ArrayOf(report.notes)}});
  SetBounds(json, "score_before", BoundsOf(report, report.score_before));
  SetBounds(json, "score_after", BoundsOf(report, report.score_after));
  SetBounds(json, "score_change", ChangeOf(report));
  return json;
}

std::string PaceText(double seconds, std::optional<double> samples_per_second) {
  return Text(Fixed(seconds, 1), " s",
              samples_per_second ? Text(", ", Fixed(*samples_per_second, 0), " samples/s") : "");
}

std::string ToText(const TrainingReport& report) {
  const train::Trained& t = report.trained;
  Table table({{"", Table::Align::kLeft},
               {"before", Table::Align::kRight},
               {"after", Table::Align::kRight},
               {"", Table::Align::kLeft}});
  if (report.validation_samples > 0) {
    const auto change = ChangeOf(report);
    table.Add({report.score_name, ScoreText(report, report.score_before),
               ScoreText(report, report.score_after),
               change ? Points(report.score_before, report.score_after, change) : ""});
    if (t.start_loss && t.best_loss)
      table.Add({"validation loss", Fixed(*t.start_loss, 4), Fixed(*t.best_loss, 4)});
  }
  std::string loss;
  if (!t.history.empty()) {
    loss = Text(", mean loss ", Text(t.history.front().loss), " in the first validation's steps, ",
                Text(t.history.back().loss), " in the last's");
  }
  const std::string scores = report.validation_samples > 0 ? table.Text() + '\n' : "";
  return Text(scores, "trained on ", report.training_samples, " samples in ", t.steps, " steps of ",
              t.batch, " (", PaceText(t.seconds, t.samples_per_second), ')', loss, ", ",
              report.validation_samples > 0 ? Text("scored on ", report.validation_samples,
                                                   " others, best after step ", t.best_step)
                                            : "not scored",
              ", at most ", ByteText(report.peak_bytes), " of memory\n\nwrote ",
              Printable(report.options.output), '\n');
}

}  // namespace pare::cli
