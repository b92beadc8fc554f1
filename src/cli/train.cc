#include "cli/command.h"
#include "cli/training.h"
#include "train/initialize.h"

namespace pare::cli {
namespace {

struct TrainOptions {
  std::string model;
  TrainingOptions training;
  train::LabelOptions labels;
  std::optional<double> smoothing;
  bool from_scratch = false;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "a float .onnx file: a classifier");
    parser.Group("start and loss");
    parser.Flag("--from-scratch", from_scratch,
                "begin with random weights (of --seed) instead of the model's");
    parser.Option("--smoothing", "S", smoothing, 0, 1, "of the labels, 0 to 1 (default 0)");
    training.Declare(parser);
  }
};

Status BeginFromScratch(model::Model& model, const TrainingOptions& training) {
  graph::Graph graph = model.graph();
  PARE_ASSIGN(const auto parameters,
              train::FindParameters(graph, training.train.program.parameters));
  PARE_TRY(train::InitializeWeights(graph, parameters, training.train.seed));
  model.set_graph(std::move(graph));
  return {};
}

// Those of training and of the score.
Status CheckTrainingLabels(const TrainingSetup& setup, const model::Model& model,
                           const std::string& path, Console& console) {
  const data::Dataset& dataset = *setup.dataset;
  if (!dataset.has_labels()) {
    return Fail(Error(ErrorKind::kUsage, "the data has no labels to train by",
                      "--labels FILE or --label COLUMN gives them; `pare distill` needs none")
                    .at(path));
  }
  PARE_TRY(CheckLabels(dataset, model.graph(), model.preprocess().label_offset, console));
  for (const auto* samples : {&setup.split.training, &setup.split.validation})
    PARE_TRY(train::CheckLabelled(dataset, *samples));
  return {};
}

Status Train(const TrainOptions& options, Console& console) {
  TrainingOptions training = options.training;
  training.fine_tunes = !options.from_scratch;
  PARE_TRY(training.Check());
  if (options.from_scratch && training.train.program.keep_zeros) {
    return Fail(ErrorKind::kUsage, "--keep-zeros: the weights of --from-scratch hold no zeros",
                "give one of them");
  }
  CommandFiles files = training.Files();
  PARE_ASSIGN(model::Model model, LoadTrainable(options.model, training, files, console));
  if (options.from_scratch) PARE_TRY(BeginFromScratch(model, training));
  PARE_ASSIGN(const TrainingSetup setup, SetUpTraining(training, model, model, files, console));
  PARE_TRY(CheckTrainingLabels(setup, model, training.data.path, console));
  train::LabelObjective objective({.smoothing = static_cast<float>(options.smoothing.value_or(0))});
  PARE_ASSIGN(
      const TrainingReport report,
      RunTraining(training,
                  {.model = model,
                   .setup = setup,
                   .objective = objective,
                   .score = compress::ScoreByLabels(setup.validation, setup.context, console),
                   .score_name = "top-1",
                   .command = "train",
                   .teachers = {}},
                  console));
  return console.Show(report);
}

}  // namespace

extern const Command kTrainCommand = {
    .name = "train",
    .summary = "fine-tunes a classifier by labels",
    .examples =
        "pare train resnet.onnx --data pictures/ -o tuned.onnx --epochs 5 --rate 0.01 --flip\n"
        "pare train resnet.onnx --data pictures.tar -o tuned.onnx --checkpoint run.npz --resume",
    .run = ParseAndRun<TrainOptions, Train>,
};

}  // namespace pare::cli
