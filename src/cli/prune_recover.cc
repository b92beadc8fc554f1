#include "cli/prune_recover.h"

#include <algorithm>

#include "compress/distill/objective.h"
#include "compress/inputs.h"

namespace pare::cli {
namespace {

// Neither trained on nor validated with: what verifies.
compress::TrainingSplit RecoverySplit(const PruneRun& run) {
  const TrainingOptions& training = run.options.training;
  const auto& verifying = run.inputs.split.verification;
  std::vector<int64_t> pool =
      data::DrawSamples(*run.inputs.dataset, training.data.limit, training.train.seed);
  std::erase_if(pool, [&](int64_t i) { return std::ranges::binary_search(verifying, i); });
  const int64_t kept = std::min<int64_t>(training.validation, std::ssize(pool) / 4);
  return compress::DividePool(std::move(pool), kept, training.train.seed);
}

}  // namespace

Result<TrainingReport> Recover(const PruneRun& run, const graph::Graph& cut,
                               const TrainingOptions& given) {
  const PruneCommandOptions& options = run.options;
  TrainingOptions training = given;
  training.UseDefaultsFor(cut, run.console);
  training.train.ends_where_not_finite = true;  // the cut is no worse for it
  model::Model student = run.inputs.trainable;
  student.set_graph(cut);
  const graph::Graph& teacher = run.inputs.deployed.graph();
  const bool classifies =
      compress::ChooseMetric(compress::Metric::kAuto, teacher) == compress::Metric::kTop;
  compress::DistillOptions loss;
  if (options.alpha) loss.alpha = static_cast<float>(*options.alpha);
  if (options.temperature) loss.temperature = static_cast<float>(*options.temperature);
  TrainingSetup setup{.dataset = run.inputs.dataset,
                      .split = RecoverySplit(run),
                      .validation = {},
                      .context = run.context};
  setup.validation = {.dataset = setup.dataset,
                      .indices = setup.split.validation,
                      .preprocess = student.preprocess(),
                      .batch = training.train.program.batch};
  // Augmented samples hardly come twice.
  compress::TeacherOptions how;
  if (!training.train.augment.any()) how.cache_bytes = size_t{256} << 20;
  PARE_ASSIGN(how.shapes, train::StepShapes(cut, run.inputs.dataset, setup.split.training,
                                            student.preprocess(), training.train.program));
  PARE_ASSIGN(how.inputs, compress::MatchInputs(cut, teacher));
  std::vector<compress::Teacher> teachers;
  PARE_ASSIGN(teachers.emplace_back(),
              compress::Teacher::Make(
                  teacher, compress::DistillObjective::QuestionsFor(loss, classifies, true),
                  run.context, std::move(how)));
  compress::DistillObjective objective(std::move(teachers), classifies, loss);
  const compress::Likeness likeness = compress::LikenessFor(loss.loss, classifies);
  PARE_ASSIGN(auto score,
              compress::ScoreByReference(teacher, likeness, setup.validation, run.context));
  return RunTraining(training,
                     {.model = student,
                      .setup = setup,
                      .objective = objective,
                      .score = std::move(score),
                      .score_name = std::string(compress::LikenessName(likeness)),
                      .command = "prune",
                      .teachers = {options.model},
                      .values = teacher.metadata.contains(compress::kOutputsKey)},
                     run.console);
}

}  // namespace pare::cli
