#include "cli/command.h"
#include "cli/training.h"
#include "train/defaults.h"
#include "train/initialize.h"
#include "train/targets.h"

namespace pare::cli {
namespace {

struct TrainOptions {
  std::string model;
  TrainingOptions training;
  std::optional<double> smoothing;
  std::string targets;
  std::optional<train::TargetLoss> loss;
  bool from_scratch = false;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "a float .onnx file: a classifier, or with targets any");
    parser.Group("start and loss");
    parser.Flag("--from-scratch", from_scratch,
                "begin with random weights (of --seed) instead of the model's");
    parser.Option("--smoothing", "S", smoothing, 0, 1, "of the labels, 0 to 1 (default 0)");
    DeclareTargets(parser, targets, "learn values in place of labels");
    parser.Option(
        "--loss", "NAME",
        [this](std::string_view name) -> Status {
          PARE_ASSIGN(loss, train::ParseTargetLoss(name));
          return {};
        },
        "against targets: mse (default), huber or cosine");
    training.Declare(parser);
  }

  Status Check() const {
    PARE_TRY(training.Check());
    if (from_scratch && training.train.program.keep_zeros) {
      return Fail(ErrorKind::kUsage, "--keep-zeros: the weights of --from-scratch hold no zeros",
                  "give one of them");
    }
    return {};
  }

  // `values`: what is learned, in place of labels.
  Status CheckLoss(bool values) const {
    if (loss && !values) {
      return Fail(ErrorKind::kUsage, "--loss compares with values, and none are given",
                  "--targets FILE or --target-columns gives them; labels are learned by "
                  "cross-entropy");
    }
    if (smoothing && values) {
      return Fail(ErrorKind::kUsage, "--smoothing is of labels, and targets are values",
                  "leave it out");
    }
    return {};
  }
};

// Of what the loss sees: other outputs keep what they have, as nothing would train them.
std::vector<graph::ValueId> InFirstOutput(const graph::Graph& model,
                                          std::vector<graph::ValueId> parameters) {
  graph::Graph learned = model;
  const graph::Output first = learned.outputs()[0];
  learned.ClearOutputs();
  learned.AddOutput(first.value, first.name, first.notes);
  learned.RemoveDead();
  std::erase_if(parameters, [&](graph::ValueId id) { return learned.value(id).uses.empty(); });
  return parameters;
}

Status BeginFromScratch(model::Model& model, const TrainingOptions& training) {
  graph::Graph graph = model.graph();
  PARE_ASSIGN(const auto parameters,
              train::FindParameters(graph, training.train.program.parameters));
  PARE_TRY(train::InitializeWeights(graph, InFirstOutput(graph, parameters), training.train.seed));
  model.set_graph(std::move(graph));
  return {};
}

// Those of training and of the score.
Status CheckTrainingLabels(const TrainingSetup& setup, const model::Model& model,
                           const std::string& path, Console& console) {
  const data::Dataset& dataset = *setup.dataset;
  if (!dataset.has_labels()) {
    return Fail(Error(ErrorKind::kUsage,
                      Text("there is nothing to train by: the data has no labels",
                           dataset.why_unlabelled()),
                      "--labels FILE or --label COLUMN gives them, --targets FILE or "
                      "--target-columns values; `pare distill` needs none")
                    .at(path));
  }
  PARE_TRY(CheckLabels(dataset, model.graph(), model.preprocess().label_offset, console));
  for (const auto* samples : {&setup.split.training, &setup.split.validation})
    PARE_TRY(train::CheckLabelled(dataset, *samples));
  return {};
}

// What is learned, and how good it is known.
struct Lesson {
  std::unique_ptr<train::Objective> objective;
  train::Score score;
  std::string score_name;
  bool values = false;
};

Result<Lesson> LabelsOf(const TrainOptions& options, const TrainingSetup& setup,
                        const model::Model& model, Console& console) {
  PARE_TRY(CheckTrainingLabels(setup, model, options.training.data.path, console));
  const train::LabelOptions how{.smoothing = static_cast<float>(options.smoothing.value_or(0))};
  return Lesson{std::make_unique<train::LabelObjective>(how),
                compress::ScoreByLabels(setup.validation, how.smoothing, setup.context, console),
                "top-1", false};
}

Result<Lesson> TargetsOf(const TrainOptions& options, const TrainingSetup& setup,
                         std::shared_ptr<const data::Dataset> targets, const model::Model& model,
                         Console& console) {
  PARE_ASSIGN(const std::string moved,
              train::CheckMoved(options.training.train.augment, model.graph()));
  if (!moved.empty()) console.Note(moved);
  const train::TargetLoss loss = options.loss.value_or(train::TargetLoss::kMse);
  PARE_ASSIGN(auto objective, train::TargetObjective::Make(targets, loss));
  return Lesson{std::move(objective),
                compress::ScoreByTargets(setup.validation, targets, loss, setup.context),
                std::string(compress::TargetScoreName(loss)), true};
}

Result<Lesson> LessonOf(const TrainOptions& options, const TrainingSetup& setup,
                        const model::Model& model, Console& console) {
  PARE_ASSIGN(const auto targets, OpenTargets(options.targets, options.training.data,
                                              *setup.dataset, model.graph(), console));
  PARE_TRY(options.CheckLoss(targets != nullptr));
  return targets ? TargetsOf(options, setup, targets, model, console)
                 : LabelsOf(options, setup, model, console);
}

Status Train(const TrainOptions& options, Console& console) {
  TrainingOptions training = options.training;
  PARE_TRY(options.Check());
  CommandFiles files = training.Files();
  files.Read(options.targets);
  PARE_ASSIGN(model::Model model, LoadTrainable(options.model, training, files, console));
  training.UseDefaultsFor(model.graph(), console);
  if (options.from_scratch) PARE_TRY(BeginFromScratch(model, training));
  NoteWeights(model, console);
  PARE_ASSIGN(const TrainingSetup setup, SetUpTraining(training, model, model, files, console));
  PARE_ASSIGN(Lesson lesson, LessonOf(options, setup, model, console));
  PARE_ASSIGN(const TrainingReport report, RunTraining(training,
                                                       {.model = model,
                                                        .setup = setup,
                                                        .objective = *lesson.objective,
                                                        .score = std::move(lesson.score),
                                                        .score_name = std::move(lesson.score_name),
                                                        .command = "train",
                                                        .teachers = {},
                                                        .values = lesson.values,
                                                        .targets_apart = !options.targets.empty()},
                                                       console));
  return console.Show(report);
}

}  // namespace

extern const Command kTrainCommand = {
    .name = "train",
    .summary = "fine-tunes a model by labels or values",
    .examples =
        "pare train resnet.onnx --data pictures/ -o tuned.onnx --epochs 5 --flip\n"
        "pare train resnet.onnx --data pictures.tar -o tuned.onnx --checkpoint run.npz --resume\n"
        "pare train regressor.onnx --data x.npy --targets y.npy -o tuned.onnx --loss huber\n"
        "pare train regressor.onnx --data houses.csv --target-columns price -o tuned.onnx",
    .run = ParseAndRun<TrainOptions, Train>,
};

}  // namespace pare::cli
