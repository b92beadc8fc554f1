#include "cli/prune_recover.h"

#include <algorithm>

#include "compress/distill/distillation.h"

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
  PARE_ASSIGN(const compress::MatchedTeacher teacher,
              compress::MatchTeacher(cut, run.inputs.deployed.graph(), options.model, run.console));
  PARE_ASSIGN(auto distillation, compress::MakeDistillation({.student = cut,
                                                             .teachers = {&teacher, 1},
                                                             .loss = loss,
                                                             .training = setup.split.training,
                                                             .validation = setup.validation,
                                                             .run = training.train,
                                                             .loss_option = ""},
                                                            run.context, run.console));
  return RunTraining(training,
                     {.model = student,
                      .setup = setup,
                      .objective = *distillation.objective,
                      .score = std::move(distillation.score),
                      .score_name = std::string(compress::LikenessName(distillation.likeness)),
                      .command = "prune",
                      .teachers = {options.model},
                      .values = distillation.values},
                     run.console);
}

}  // namespace pare::cli
