#include <algorithm>

#include "cli/command.h"
#include "cli/training.h"
#include "compress/distill/distillation.h"
#include "compress/distill/fit.h"
#include "data/stored.h"
#include "platform/file.h"
#include "train/defaults.h"

namespace pare::cli {
namespace {

struct DistillCommandOptions {
  std::string student;
  std::vector<std::string> teachers;
  TrainingOptions training;
  compress::DistillOptions distill;
  std::optional<compress::Pairing> pairing;
  std::string cache;
  int64_t cache_mib = 512;
  std::optional<double> alpha, temperature, hint_weight, attention_weight, relation_weight;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Group("models");
    parser.Option("--teacher", "MODEL", teachers, "what is learned from (repeatable)");
    parser.Required();
    parser.Option("--student", "MODEL", student, "what learns");
    parser.Required();
    training.Declare(parser);
    DeclareLoss(parser);
  }

  void DeclareLoss(Parser& parser) {
    parser.Group("loss");
    parser.Option(
        "--loss", "NAME",
        [this](std::string_view name) -> Status {
          PARE_ASSIGN(distill.loss, compress::ParseDistillLoss(name));
          return {};
        },
        "auto (default: soft for classifiers, else mse), soft, mse, huber or cosine");
    parser.Option("--temperature", "T", temperature, 1e-3, 1e3, "of soft logits (default 4)");
    parser.Option("--alpha", "A", alpha, 0, 1,
                  "the teacher's part; the rest is the labels' (default 1: no labels needed)");
    DeclarePairs(parser, "--hint", distill.hints,
                 "layers whose features are learned, too: one name that both models have, or a "
                 "layer of each (repeatable)");
    parser.Option(
        "--hints", "HOW",
        [this](std::string_view name) -> Status {
          PARE_ASSIGN(pairing, compress::ParsePairing(name));
          return {};
        },
        "choose such layers: by name or by shape (the last one of each resolution), by position "
        "(at "
        "quarters of the depth), or auto (the first of these that finds any)");
    DeclarePairs(parser, "--attention", distill.attention,
                 "layers whose attention maps are learned, too (repeatable)");
    parser.Option("--hint-weight", "W", hint_weight, 0, 1e6, "of each pair (default 1)");
    parser.Option("--attention-weight", "W", attention_weight, 0, 1e6,
                  "of each pair (default 100)");
    parser.Option("--relation-weight", "W", relation_weight, 0, 1e6,
                  "of the distances between the samples of a batch (default 0)");
    parser.Option("--cache", "FILE", cache,
                  "keep the teachers' answers there (.npz), for later runs of the same --batch");
    parser.Option("--cache-size", "MIB", cache_mib, 0,
                  "of remembered answers, in memory and in the file of --cache (default 512; 0: "
                  "none)");
  }

  static void DeclarePairs(Parser& parser, std::string name,
                           std::vector<compress::LayerPair>& pairs, std::string help) {
    parser.Option(
        std::move(name), "LAYER[=LAYER]",
        [&pairs](std::string_view text) -> Status {
          const size_t at = text.find('=');
          const std::string_view own = text.substr(0, at);
          const std::string_view other = at == std::string_view::npos ? own : text.substr(at + 1);
          if (own.empty() || other.empty()) {
            return Fail(ErrorKind::kUsage, Text("\"", text, "\" names no pair of layers"),
                        "LAYER, or STUDENT=TEACHER, by the names that `pare profile` shows");
          }
          pairs.push_back({std::string(own), std::string(other)});
          return {};
        },
        std::move(help));
  }

  size_t cache_bytes() const {
    return static_cast<size_t>(train::UnitsOf(cache_mib, train::kMebibyte));
  }
  // Without a word they would change nothing.
  Status Check() const {
    PARE_TRY(training.Check());
    if (hint_weight && distill.hints.empty() && !pairing)
      return Unused("--hint-weight", "there are no hints", "--hint or --hints gives some");
    if (attention_weight && distill.attention.empty())
      return Unused("--attention-weight", "there are no attention maps", "--attention gives some");
    return CheckTeachersPart();
  }
  Status CheckTemperature(bool classifies) const {
    if (!temperature || compress::IsSoft(distill.loss, classifies)) return {};
    return Unused("--temperature", "the loss compares values",
                  "it is of --loss soft, which classifiers are learned by");
  }
  // The labels alone teach.
  Status CheckTeachersPart() const {
    if (!temperature || alpha != 0.0) return {};
    return Unused("--temperature", "at --alpha 0 the teacher's outputs teach nothing",
                  "leave one of them out");
  }
  static Status Unused(std::string_view option, std::string_view why, std::string_view advice) {
    return Fail(ErrorKind::kUsage, Text(option, " has no effect: ", why), std::string(advice));
  }

  compress::DistillOptions Loss() const {
    compress::DistillOptions loss = distill;
    const auto set = [](float& to, const std::optional<double>& given) {
      if (given) to = static_cast<float>(*given);
    };
    set(loss.alpha, alpha);
    set(loss.temperature, temperature);
    set(loss.hint_weight, hint_weight);
    set(loss.attention_weight, attention_weight);
    set(loss.relation_weight, relation_weight);
    return loss;
  }
};

// A student and its teachers, that take, answer and were made for the same.
struct Models {
  model::Model student;
  std::vector<model::Model> teachers;
  std::vector<compress::MatchedTeacher> matched;

  // The one that knows what the data is: its preprocessing, its classes.
  const model::Model& known() const {
    const auto knows = [](const model::Model& model) {
      return data::Preprocess::In(model.graph().metadata);
    };
    if (knows(student)) return student;
    const auto teacher = std::find_if(teachers.begin(), teachers.end(), knows);
    return teacher == teachers.end() ? student : *teacher;
  }

  bool classifies() const {
    return compress::ChooseMetric(compress::Metric::kAuto, matched[0].graph) ==
           compress::Metric::kTop;
  }

  std::vector<const model::Model*> all() const {
    std::vector<const model::Model*> all = {&student};
    for (const model::Model& teacher : teachers) all.push_back(&teacher);
    return all;
  }
};

// Matches the teachers with the student, which takes over their preprocessing.
Status MatchTeachers(Models& models, Console& console) {
  const graph::Graph& own = models.student.graph();
  std::vector<compress::PreparedModel> prepared;
  prepared.push_back({models.student.path(), own, models.student.preprocess()});
  for (const model::Model& teacher : models.teachers) {
    PARE_ASSIGN(models.matched.emplace_back(),
                compress::MatchTeacher(own, teacher.graph(), teacher.path(), console));
    prepared.push_back({teacher.path(), teacher.graph(), teacher.preprocess()});
  }
  PARE_ASSIGN(const data::Preprocess shared, compress::SharedPreprocess(prepared));
  models.student.set_preprocess(shared);
  graph::Graph knowing = own;
  for (const model::Model& teacher : models.teachers)
    data::InheritStored(teacher.graph().metadata, knowing.metadata);
  models.student.set_graph(std::move(knowing));
  return {};
}

bool SameFile(const std::string& a, const std::string& b) {
  const auto one = MappedFile::Open(a), other = MappedFile::Open(b);
  return one && other && std::ranges::equal((*one)->bytes(), (*other)->bytes());
}

// With the files that hold their weights.
bool SameModel(const model::Model& a, const model::Model& b) {
  return SameFile(a.path(), b.path()) &&
         std::ranges::equal(a.data_files(), b.data_files(), SameFile);
}

// A teacher that is the student gives it nothing to learn; labels, or another teacher, do.
Status CheckTaught(const DistillCommandOptions& options, const Models& models) {
  if (options.alpha && *options.alpha < 1) return {};
  const auto same = [&](const model::Model& teacher) { return SameModel(models.student, teacher); };
  if (!std::ranges::all_of(models.teachers, same)) return {};
  return Fail(Error(ErrorKind::kUsage,
                    "the student is the same model as its teacher: there is nothing to learn",
                    "`pare design` makes a smaller student, `pare prune` cuts and recovers one")
                  .at(options.student));
}

Result<Models> LoadModels(const DistillCommandOptions& options, CommandFiles& files,
                          Console& console) {
  PARE_ASSIGN(model::Model student,
              LoadTrainable(options.student, options.training, files, console));
  Models models{.student = std::move(student), .teachers = {}, .matched = {}};
  for (const std::string& path : options.teachers) {
    PARE_ASSIGN(model::Model teacher, model::Model::Load(path));
    PARE_TRY(options.training.data.ApplyTo(teacher));
    files.Read(teacher.data_files());
    models.teachers.push_back(std::move(teacher));
  }
  PARE_TRY(CheckTaught(options, models));
  for (const model::Model* model : models.all()) NoteWeights(*model, console);
  PARE_TRY(MatchTeachers(models, console));
  return models;
}

// The labels that the samples of training must have.
Status CheckDistillLabels(const DistillCommandOptions& options, const Models& models,
                          const TrainingSetup& setup, Console& console) {
  const data::Dataset& dataset = *setup.dataset;
  PARE_TRY(CheckHasLabels(options.training.data, dataset));
  return CheckLabels(dataset, models.student.graph(), models.student.preprocess().label_offset,
                     console);
}

// Nothing where there is none, or nothing to keep in it: the file is left alone then.
Result<std::optional<compress::AnswerCache>> OpenCache(const DistillCommandOptions& options,
                                                       Console& console) {
  if (options.cache.empty()) return std::optional<compress::AnswerCache>();
  const bool augmented = options.training.train.augment.any();
  if (!augmented && options.cache_mib > 0) {
    PARE_ASSIGN(auto cache, compress::AnswerCache::Load(options.cache));
    return std::optional(std::move(cache));
  }
  console.Note(Text("--cache is neither read nor written: ",
                    augmented ? "augmented samples hardly come twice"
                              : "with --cache-size 0 nothing is remembered"));
  return std::optional<compress::AnswerCache>();
}

Status Distill(const DistillCommandOptions& options, Console& console) {
  TrainingOptions training = options.training;
  PARE_TRY(options.Check());
  CommandFiles files = training.Files();
  files.Read(options.teachers);
  files.Write(options.cache);
  PARE_ASSIGN(const Models models, LoadModels(options, files, console));
  training.UseDefaultsFor(models.student.graph(), console);
  PARE_ASSIGN(const TrainingSetup setup, SetUpTraining(training, models.student, models.known(),
                                                       files, console, models.all()));
  PARE_ASSIGN(const auto cache, OpenCache(options, console));
  const compress::DistillOptions loss = options.Loss();
  if (loss.alpha < 1) PARE_TRY(CheckDistillLabels(options, models, setup, console));
  PARE_TRY(options.CheckTemperature(models.classifies()));
  PARE_ASSIGN(auto distillation, compress::MakeDistillation({.student = models.student.graph(),
                                                             .teachers = models.matched,
                                                             .loss = loss,
                                                             .pairing = options.pairing,
                                                             .training = setup.split.training,
                                                             .validation = setup.validation,
                                                             .run = training.train,
                                                             .cache_bytes = options.cache_bytes(),
                                                             .cache = cache ? &*cache : nullptr},
                                                            setup.context, console));
  compress::DistillObjective& objective = *distillation.objective;
  const Result<TrainingReport> report =
      RunTraining(training,
                  {.model = models.student,
                   .setup = setup,
                   .objective = objective,
                   .score = std::move(distillation.score),
                   .score_name = std::string(compress::LikenessName(distillation.likeness)),
                   .command = "distill",
                   .teachers = options.teachers,
                   .values = distillation.values},
                  console);
  // Answers hold for a run that was stopped, too.
  const Status saved = cache ? cache->Save(objective.teachers(), options.cache_bytes()) : Status();
  PARE_TRY(report);
  PARE_TRY(saved);
  return console.Show(*report);
}

}  // namespace

extern const Command kDistillCommand = {
    .name = "distill",
    .summary = "a student model learns a teacher's answers, without labels",
    .examples =
        "pare distill --teacher resnet56.onnx --student small.onnx --data pictures/ -o "
        "taught.onnx --epochs 20\n"
        "pare distill --teacher t.onnx --student s.onnx --data x.npy -o out.onnx --hints shape\n"
        "pare distill --teacher t.onnx --student s.onnx --data x.npy -o out.onnx --hint "
        "/block3/out=/block9/out",
    .run = ParseAndRun<DistillCommandOptions, Distill>,
};

}  // namespace pare::cli
