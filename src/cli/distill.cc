#include "cli/command.h"
#include "cli/training.h"
#include "compress/distill/objective.h"

namespace pare::cli {
namespace {

struct DistillCommandOptions {
  std::string student;
  std::vector<std::string> teachers;
  TrainingOptions training;
  compress::DistillOptions distill;
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
    DeclarePairs(parser, "--hint", distill.hints, "a layer whose features are learned, too");
    DeclarePairs(parser, "--attention", distill.attention,
                 "a layer whose attention map is learned, too");
    parser.Option("--hint-weight", "W", hint_weight, "(default 1)");
    parser.Option("--attention-weight", "W", attention_weight, "(default 100)");
    parser.Option("--relation-weight", "W", relation_weight,
                  "of the distances between the samples of a batch (default 0)");
    parser.Option("--cache", "FILE", cache, "keep the teacher's answers there (.npz)");
    parser.Option("--cache-size", "MIB", cache_mib, 0, "of remembered answers (default 512)");
  }

  static void DeclarePairs(Parser& parser, std::string name,
                           std::vector<compress::LayerPair>& pairs, std::string help) {
    parser.Option(
        std::move(name), "STUDENT=TEACHER",
        [&pairs](std::string_view text) -> Status {
          const size_t at = text.find('=');
          if (at == std::string_view::npos) {
            return Fail(ErrorKind::kUsage, Text("\"", text, "\" names no pair of layers"),
                        "STUDENT=TEACHER, by the names that `pare profile` shows");
          }
          pairs.push_back({std::string(text.substr(0, at)), std::string(text.substr(at + 1))});
          return {};
        },
        std::move(help));
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

Result<std::vector<compress::Teacher>> LoadTeachers(const DistillCommandOptions& options,
                                                    const compress::DistillOptions& loss,
                                                    bool classifies,
                                                    const std::vector<model::Model>& models,
                                                    const model::Context& context) {
  std::vector<compress::Teacher> teachers;
  // Augmented samples hardly come twice.
  const size_t cache = options.training.train.augment.any()
                           ? 0
                           : (static_cast<size_t>(options.cache_mib) << 20) / models.size();
  for (const model::Model& model : models) {
    const auto questions =
        compress::DistillObjective::QuestionsFor(loss, classifies, teachers.empty());
    PARE_ASSIGN(
        compress::Teacher teacher,
        OfModel(compress::Teacher::Make(model.graph(), questions, context, cache), model.path()));
    teachers.push_back(std::move(teacher));
  }
  if (!options.cache.empty()) PARE_TRY(teachers[0].LoadCache(options.cache));
  return teachers;
}

Status Distill(const DistillCommandOptions& options, Console& console) {
  const TrainingOptions& training = options.training;
  PARE_TRY(training.Check());
  CommandFiles files = training.Files();
  files.Read(options.teachers);
  files.Read(options.student);
  files.Write(options.cache);
  PARE_TRY(files.Check());
  PARE_ASSIGN(const model::Model student, LoadTrainable(options.student, training, console));
  files.Read(student.data_files());
  std::vector<model::Model> models;
  for (const std::string& path : options.teachers) {
    PARE_ASSIGN(model::Model model, model::Model::Load(path));
    files.Read(model.data_files());
    models.push_back(std::move(model));
  }
  PARE_ASSIGN(const auto dataset, training.data.Open(student, console));
  files.Read(dataset->files());
  PARE_TRY(files.Check());
  const compress::DistillOptions loss = options.Loss();
  if (loss.alpha < 1 && !dataset->has_labels()) {
    return Fail(Error(ErrorKind::kUsage, "--alpha below 1 asks for labels, and the data has none",
                      "--alpha 1 learns from the teacher alone")
                    .at(training.data.path));
  }
  const model::Context context = model::Context::Make(AllowedThreads(training.threads, console));
  compress::TrainingSplit split = compress::SplitForTraining(
      *dataset, training.validation, training.data.limit, training.train.seed);
  const compress::Validation validation{.dataset = dataset,
                                        .indices = split.validation,
                                        .preprocess = student.preprocess(),
                                        .batch = training.train.program.batch};
  const bool classifies =
      compress::ChooseMetric(compress::Metric::kAuto, student.graph()) == compress::Metric::kTop;
  PARE_ASSIGN(auto teachers, LoadTeachers(options, loss, classifies, models, context));
  compress::DistillObjective objective(std::move(teachers), classifies, loss);
  PARE_ASSIGN(auto score, compress::ScoreByReference(models[0].graph(), validation, context));
  PARE_ASSIGN(const TrainingReport report,
              RunTraining(training,
                          {.model = student,
                           .dataset = dataset,
                           .split = std::move(split),
                           .objective = objective,
                           .score = std::move(score),
                           .score_name = classifies ? "agreement" : "cosine",
                           .command = "distill",
                           .teachers = options.teachers},
                          context, console));
  if (!options.cache.empty()) PARE_TRY(objective.teachers()[0].SaveCache(options.cache));
  return console.Show(report);
}

}  // namespace

extern const Command kDistillCommand = {
    .name = "distill",
    .summary = "a student model learns a teacher's answers, without labels",
    .examples =
        "pare distill --teacher resnet56.onnx --student small.onnx --data pictures/ -o "
        "taught.onnx --epochs 20\n"
        "pare distill --teacher t.onnx --student s.onnx --data x.npy -o out.onnx --hint "
        "/block3/out=/block9/out",
    .run = ParseAndRun<DistillCommandOptions, Distill>,
};

}  // namespace pare::cli
