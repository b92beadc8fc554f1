#include "pare/train.h"

#include <algorithm>

#include "api/access.h"
#include "api/notes.h"
#include "api/train_options.h"
#include "compress/distill/distillation.h"
#include "compress/distill/fit.h"
#include "compress/not_finite.h"
#include "compress/trainable.h"
#include "compress/validate.h"
#include "compress/widen.h"
#include "data/stored.h"
#include "onnx/export.h"
#include "train/defaults.h"
#include "train/targets.h"

namespace pare {
namespace {

// Hands the run's progress on to the caller's function, and its answer back.
class Reporter : public NoteKeeper {
 public:
  explicit Reporter(const TrainOptions& options) : report_(options.progress) {}
  void Stage(std::string_view what, int64_t total) override {
    now_ = {.stage = std::string(what), .done = 0, .total = total, .now = {}};
  }
  void Now(std::string_view text) override { now_.now = text; }
  void Advance(int64_t units) override {
    now_.done += units;
    if (report_ && !report_(now_)) cancelled_ = true;
  }
  bool cancelled() const override { return cancelled_; }

 private:
  const std::function<bool(const TrainProgress&)>& report_;
  TrainProgress now_;
  bool cancelled_ = false;
};

// Of the file that holds the model; "" where none does.
std::string PathOf(const Model& model) {
  const auto& files = Access::Of(model).files;
  return files.empty() ? "" : files.back();
}

// What all ways of training share; objective and score are theirs.
class Job {
 public:
  Job(const Model& model, const Dataset& dataset, const TrainOptions& options)
      : model_(Access::Of(model)),
        dataset_(Access::Of(dataset).dataset),
        options_(options),
        context_(model::Context::Make(options.threads)),
        preprocess_(model_.preprocess),
        progress_(options) {}

  Status Prepare(const Model* teacher = nullptr) {
    PARE_TRY(CheckOptions(options_));
    PARE_TRY(PreparePreprocess(teacher));
    PARE_ASSIGN(graph_, compress::Widened(model_.graph, progress_, train::kTrainable));
    NoteWeights(model_.files.empty() ? "the model" : model_.files.back(), graph_);
    PARE_ASSIGN(internal_, ToInternal(options_, graph_, progress_));
    if (const Status may = compress::CheckTrainable(graph_, internal_.program.parameters); !may)
      return Fail(model_.files.empty() ? may.error() : may.error().at(model_.files.back()));
    // Now: behind the last step nothing but writing may fail.
    PARE_ASSIGN(pictures_, data::HoldsPictures(*dataset_));
    split_ = compress::SplitForTraining(*dataset_, options_.validation, 0, options_.seed);
    return {};
  }
  compress::Validation validation() const {
    return {dataset_, split_.validation, preprocess_, options_.batch};
  }
  Status CheckMoved() {
    PARE_ASSIGN(const std::string note, train::CheckMoved(internal_.augment, graph_));
    if (!note.empty()) progress_.Note(note);
    return {};
  }
  // Samples without a label, or of another class, can't be learned from by labels.
  Status CheckLabels() const {
    PARE_TRY(train::CheckLabelled(*dataset_, split_.training));
    return compress::CheckLabelRange(*dataset_, graph_, preprocess_.label_offset);
  }
  Result<compress::MatchedTeacher> Matched(graph::Graph teacher, std::string path) {
    NoteWeights(path.empty() ? "the teacher" : path, teacher);
    data::InheritStored(teacher.metadata, graph_.metadata);
    return compress::MatchTeacher(graph_, std::move(teacher), std::move(path), progress_);
  }
  Result<compress::Distillation> Learn(const compress::MatchedTeacher& teacher,
                                       const compress::DistillOptions& loss) {
    return compress::MakeDistillation({.student = graph_,
                                       .teachers = {&teacher, 1},
                                       .loss = loss,
                                       .training = split_.training,
                                       .validation = validation(),
                                       .run = internal_},
                                      context_, progress_);
  }
  const model::Context& context() const { return context_; }
  Progress& progress() { return progress_; }

  // `values`: the outputs are such, and no scores of classes.
  Result<TrainResult> Run(train::Objective& objective, train::Score score, bool values) {
    if (split_.validation.empty()) score = {};
    if (options_.rescue) {
      internal_.rescue = [this, values](const train::Trained& best) -> Result<std::string> {
        PARE_ASSIGN(const TrainResult result, ResultOf(best, values));
        options_.rescue(result);
        return "what rescue was given";
      };
    }
    PARE_ASSIGN(const train::Trained trained,
                train::Train(graph_, dataset_, split_.training, preprocess_, objective, score,
                             context_, internal_, progress_));
    return ResultOf(trained, values);
  }

 private:
  Result<TrainResult> ResultOf(const train::Trained& trained, bool values) const {
    graph::Graph graph = trained.graph;
    if (pictures_ || !options_.preprocess.empty() || data::Preprocess::In(graph.metadata))
      preprocess_.WriteTo(graph.metadata);
    graph.metadata.erase(compress::kOutputsKey);
    if (values) graph.metadata[compress::kOutputsKey] = "values";
    PARE_ASSIGN(const std::string bytes, onnx::ExportBytes(graph));
    const auto size = static_cast<int64_t>(bytes.size());
    return TrainResult{Access::Make({{}, std::move(graph), preprocess_, size}),
                       trained.start_score,
                       trained.best_score,
                       trained.steps,
                       trained.rate,
                       trained.samples_per_second.value_or(0),
                       progress_.notes()};
  }
  void NoteWeights(std::string_view name, const graph::Graph& graph) {
    const std::string note = compress::NotFiniteNote(graph);
    if (!note.empty()) progress_.Note(Text(name, ": ", note));
  }
  Status PreparePreprocess(const Model* teacher) {
    std::vector<compress::PreparedModel> models;
    models.push_back({"the student", model_.graph, preprocess_});
    if (teacher) {
      const Access::ModelImpl& other = Access::Of(*teacher);
      models.push_back({"the teacher", other.graph, other.preprocess});
    }
    for (compress::PreparedModel& model : models) {
      for (const auto& [field, text] : options_.preprocess)
        PARE_TRY(model.preprocess.Set(field, text));
    }
    PARE_ASSIGN(preprocess_, compress::SharedPreprocess(models));
    return {};
  }

  const Access::ModelImpl& model_;
  graph::Graph graph_;
  std::shared_ptr<const data::Dataset> dataset_;
  const TrainOptions& options_;
  model::Context context_;
  data::Preprocess preprocess_;
  train::TrainOptions internal_;
  compress::TrainingSplit split_;
  bool pictures_ = false;  // the dataset holds them
  Reporter progress_;
};

}  // namespace

Result<TrainResult> Train(const Model& model, const Dataset& dataset, const TrainOptions& options) {
  return Guarded([&]() -> Result<TrainResult> {
    Job job(model, dataset, options);
    PARE_TRY(job.Prepare());
    if (!dataset.has_labels()) {
      return Fail(ErrorKind::kUsage, "the data has no labels to train by",
                  "Distill needs none, or give the dataset its labels");
    }
    PARE_TRY(job.CheckLabels());
    const auto smoothing = static_cast<float>(options.smoothing);
    train::LabelObjective objective({.smoothing = smoothing});
    return job.Run(
        objective,
        compress::ScoreByLabels(job.validation(), smoothing, job.context(), job.progress()),
        /*values=*/false);
  });
}

Result<TrainResult> TrainByTargets(const Model& model, const Dataset& dataset,
                                   const Dataset& targets, const TrainOptions& options) {
  return Guarded([&]() -> Result<TrainResult> {
    Job job(model, dataset, options);
    PARE_TRY(job.Prepare());
    PARE_TRY(job.CheckMoved());
    const auto values = Access::Of(targets).dataset;
    PARE_TRY(train::CheckTargets(*values, *Access::Of(dataset).dataset));
    PARE_ASSIGN(const train::TargetLoss loss, train::ParseTargetLoss(options.target_loss));
    PARE_ASSIGN(const auto objective, train::TargetObjective::Make(values, loss));
    return job.Run(*objective,
                   compress::ScoreByTargets(job.validation(), values, loss, job.context()),
                   /*values=*/true);
  });
}

Result<TrainResult> Distill(const Model& teacher, const Model& student, const Dataset& dataset,
                            const TrainOptions& options) {
  return Guarded([&]() -> Result<TrainResult> {
    Job job(student, dataset, options);
    PARE_TRY(job.Prepare(&teacher));
    PARE_ASSIGN(graph::Graph answers, Access::Of(teacher).Simplified());
    PARE_ASSIGN(const compress::MatchedTeacher matched,
                job.Matched(std::move(answers), PathOf(teacher)));
    compress::DistillOptions loss;
    PARE_ASSIGN(loss.loss, compress::ParseDistillLoss(options.loss));
    loss.temperature = static_cast<float>(options.temperature);
    loss.alpha = static_cast<float>(options.alpha);
    if (loss.alpha < 1) PARE_TRY(job.CheckLabels());
    PARE_ASSIGN(auto distillation, job.Learn(matched, loss));
    return job.Run(*distillation.objective, std::move(distillation.score), distillation.values);
  });
}

}  // namespace pare
