#include "compress/distill/distillation.h"

#include <algorithm>
#include <cmath>

#include "compress/distill/fit.h"
#include "compress/not_finite.h"

namespace pare::compress {
namespace {

using graph::Graph;

Error OfTeacher(const Error& error, const MatchedTeacher& teacher) {
  return teacher.path.empty() ? error : error.at(teacher.path);
}

// Adds the pairs that were asked for, and tells which.
Status ChoosePairs(const DistillationSetup& setup, std::span<const Dims> shapes,
                   DistillOptions& loss, Progress& progress) {
  if (!setup.pairing) return {};
  const MatchedTeacher& teacher = setup.teachers[0];
  PARE_ASSIGN(const auto own, TrunkOf(setup.student, shapes));
  PARE_ASSIGN(const auto other,
              TrunkOf(teacher.graph, teacher.inputs.ShapesOf(teacher.graph, shapes)));
  PARE_ASSIGN(const auto pairs, PairLayers(own, other, *setup.pairing));
  std::string text;
  for (const LayerPair& pair : pairs) {
    text += Text(text.empty() ? "" : ", ", PairText(pair));
    if (std::ranges::find(loss.hints, pair) == loss.hints.end()) loss.hints.push_back(pair);
  }
  progress.Note(Text("--hints chose the layers (student=teacher) ", text));
  return {};
}

Result<std::vector<Teacher>> MakeTeachers(const DistillationSetup& setup,
                                          const DistillOptions& loss, bool classifies,
                                          const std::vector<Dims>& shapes,
                                          const model::Context& context) {
  std::vector<Teacher> teachers;
  const size_t bytes = setup.run.augment.any() ? 0 : setup.cache_bytes / setup.teachers.size();
  for (const MatchedTeacher& matched : setup.teachers) {
    const Questions questions =
        DistillObjective::QuestionsFor(loss, classifies, /*first=*/teachers.empty());
    auto teacher =
        Teacher::Make(matched.graph, questions, context,
                      {.shapes = shapes, .cache_bytes = bytes, .inputs = matched.inputs});
    if (!teacher) return Fail(OfTeacher(teacher.error(), matched));
    teachers.push_back(std::move(*teacher));
  }
  return teachers;
}

// Rows of the answer that hold a value which is not finite.
int64_t RowsNotFinite(const Tensor& answer) {
  const std::span<const float> values = answer.as<float>();
  const auto rows = static_cast<size_t>(answer.shape()[0]);
  int64_t bad = 0;
  for (size_t row = 0; row < rows; ++row) {
    const auto own = values.subspan(row * (values.size() / rows), values.size() / rows);
    bad += !std::ranges::all_of(own, [](float value) { return std::isfinite(value); });
  }
  return bad;
}

std::string AnswerName(const MatchedTeacher& teacher, const DistillOptions& loss, size_t answer) {
  const auto& outputs = teacher.graph.outputs();
  if (answer < outputs.size()) return Text("output \"", outputs[answer].name, '"');
  const Questions asked = DistillObjective::QuestionsFor(loss, false, true);
  return Text("layer \"", asked.hints[answer - outputs.size()], '"');
}

// Whether all answers to these samples are numbers: training would blame the student.
Status CheckAnswers(Teacher& teacher, const MatchedTeacher& matched, const DistillOptions& loss,
                    const data::Batch& batch) {
  const auto answers = teacher.Answer(batch.inputs);
  if (!answers) return Fail(OfTeacher(data::OfSamples(answers.error(), batch), matched));
  for (size_t i = 0; i < answers->size(); ++i) {
    const int64_t bad = RowsNotFinite(answers->at(i));
    if (bad == 0) continue;
    const std::string weights = NotFiniteWeights(matched.graph);
    return Fail(OfTeacher(
        Error(ErrorKind::kInvalid,
              Text("the teacher's ", AnswerName(matched, loss, i), " is not finite for ", bad,
                   " of the first ", batch.count(), " samples: nothing can be learned from that"),
              weights.empty() ? "check that its preprocessing is the one it was trained with"
                              : Text(weights, ": train or export it anew")),
        matched));
  }
  return {};
}

}  // namespace

Result<MatchedTeacher> MatchTeacher(const Graph& student, Graph teacher, std::string path,
                                    Progress& progress) {
  MatchedTeacher matched{.path = std::move(path), .graph = std::move(teacher), .inputs = {}};
  if (const Status fits = MatchOutputs(student, matched.graph); !fits)
    return Fail(OfTeacher(fits.error(), matched));
  auto inputs = MatchInputs(student, matched.graph);
  if (!inputs) return Fail(OfTeacher(inputs.error(), matched));
  matched.inputs = std::move(*inputs);
  if (const std::string& note = matched.inputs.note; !note.empty())
    progress.Note(matched.path.empty() ? note : Text(matched.path, ": ", note));
  return matched;
}

Result<Distillation> MakeDistillation(const DistillationSetup& setup, const model::Context& context,
                                      Progress& progress) {
  const MatchedTeacher& first = setup.teachers[0];
  const bool classifies = ChooseMetric(setup.metric, first.graph) == Metric::kTop;
  const Validation& validation = setup.validation;
  PARE_ASSIGN(const std::vector<Dims> shapes,
              train::StepShapes(setup.student, validation.dataset, setup.training,
                                validation.preprocess, setup.run.program));
  DistillOptions loss = setup.loss;
  PARE_TRY(ChoosePairs(setup, shapes, loss, progress));
  if (const std::string note = LossNote(loss.loss, classifies, first.graph, setup.loss_option);
      !note.empty())
    progress.Note(note);
  PARE_ASSIGN(auto teachers, MakeTeachers(setup, loss, classifies, shapes, context));
  if (setup.cache) PARE_TRY(setup.cache->Fill(teachers));
  PARE_ASSIGN(const train::TrainBatch batch,
              train::FirstBatch(setup.student, validation.dataset, setup.training,
                                validation.preprocess, setup.run));
  for (size_t i = 0; i < teachers.size(); ++i) {
    const Status finite = CheckAnswers(teachers[i], setup.teachers[i], loss, batch.data);
    if (finite) continue;
    if (!setup.run.ends_where_not_finite || finite.error().kind() != ErrorKind::kInvalid)
      return Fail(finite.error());
    progress.Note(finite.error().message());
  }
  Distillation made{.objective = {},
                    .likeness = LikenessFor(loss.loss, classifies),
                    .score = {},
                    .values = first.graph.metadata.contains(kOutputsKey)};
  if (setup.scores) {
    PARE_ASSIGN(made.score, ScoreByReference(first.graph, made.likeness, validation, context));
  }
  made.objective =
      std::make_unique<DistillObjective>(std::move(teachers), classifies, std::move(loss));
  return made;
}

}  // namespace pare::compress
