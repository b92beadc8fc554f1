// A run that learns from teachers, put together: the teachers matched with the student and asked,
// the loss of each output, what the run is scored by. All that distils begins here.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "compress/distill/cache.h"
#include "compress/distill/objective.h"
#include "compress/inputs.h"

namespace pare::compress {

struct MatchedTeacher {
  std::string path;  // of its file, for messages; "": it has none
  graph::Graph graph;
  SharedInputs inputs;
};
// `teacher`, simplified, with the student's outputs alone (MatchOutputs), and how it takes the
// student's inputs: a note tells where these were matched by their places. Fails (kUsage) where the
// two don't fit.
Result<MatchedTeacher> MatchTeacher(const graph::Graph& student, graph::Graph teacher,
                                    std::string path, Progress& progress);

struct DistillationSetup {
  const graph::Graph& student;               // as it is trained
  std::span<const MatchedTeacher> teachers;  // the first is scored against, and gives features
  DistillOptions loss;
  Metric metric = Metric::kAuto;         // what the outputs are
  std::optional<Pairing> pairing{};      // chooses hints beside those of `loss`
  const std::vector<int64_t>& training;  // samples of validation.dataset, which is preprocessed so
  const Validation& validation;
  const train::TrainOptions& run;
  // Of answers that all teachers together remember; none of augmented samples, which hardly come
  // twice. The file's are taken where there is one.
  size_t cache_bytes = size_t{256} << 20;
  const AnswerCache* cache = nullptr;
  // What the caller's command calls the choice of a loss, for notes; "": it has none.
  std::string_view loss_option = "--loss";
  bool scores = true;  // false: the caller measures by something else
};

struct Distillation {
  std::unique_ptr<DistillObjective> objective;
  Likeness likeness;   // what the score measures
  train::Score score;  // against the first teacher; empty where not asked for
  bool values;         // the outputs are known to be such, and no scores of classes
};

// Notes tell what was guessed: by which loss the outputs are learned, which layers were paired.
//
// The teachers are asked for the first batch. Fails (kInvalid) where an answer to it is not finite,
// with the teacher's name; where run.ends_where_not_finite a note tells it, as the run's end will.
Result<Distillation> MakeDistillation(const DistillationSetup& setup, const model::Context& context,
                                      Progress& progress);

}  // namespace pare::compress
