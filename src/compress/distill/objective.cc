#include "compress/distill/objective.h"

#include <cmath>

#include "base/hash.h"
#include "base/random.h"
#include "train/loss.h"

namespace pare::compress {

using ops::Var;
using train::LossContext;

namespace {

constexpr std::string_view kNames[] = {"auto", "soft", "mse", "huber", "cosine"};

// A 1×1 convolution, or a matrix for [batch, …, channels] of less than three dimensions, that takes
// the student's channels to the teacher's.
Result<Var> Project(LossContext& context, const std::string& name, Var student, int64_t channels) {
  const Dims from = student.dims();
  const bool image = from.size() > 2;
  Dims shape{channels, from[1]};
  if (image) shape.resize(from.size(), 1);
  PARE_ASSIGN(Tensor weights, Tensor::Make(DType::kF32, shape));
  Random random(HashOfText(name));
  const float deviation = 1 / std::sqrt(static_cast<float>(from[1]));
  for (float& w : weights.mutable_as<float>()) w = deviation * random.Normal();
  const Var w = context.AddParameter(Text("projection.", name), std::move(weights));
  if (image) return context.emit().Add("Conv", {student, w});
  return context.emit().Add("Gemm", {student, w}, {{"transB", int64_t{1}}});
}

Status CheckPair(const LayerPair& pair, const Dims& student, const Dims& teacher) {
  const bool same = student.size() == teacher.size() && student.size() >= 2 &&
                    std::equal(student.begin() + 2, student.end(), teacher.begin() + 2);
  if (same) return {};
  return Fail(ErrorKind::kUsage,
              Text("the student's layer \"", pair.student, "\" is ", DimsText(student),
                   ", the teacher's \"", pair.teacher, "\" ", DimsText(teacher)),
              "pair layers of the same extents; the channels may differ");
}

}  // namespace

Result<DistillLoss> ParseDistillLoss(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<DistillLoss>(i);
  }
  return Fail(ErrorKind::kUsage, Text("\"", name, "\" is no loss"),
              "auto, soft, mse, huber or cosine");
}

bool DistillObjective::SoftLoss(const DistillOptions& options, bool classifies) {
  return options.loss == DistillLoss::kSoft || (options.loss == DistillLoss::kAuto && classifies);
}

Questions DistillObjective::QuestionsFor(const DistillOptions& options, bool classifies,
                                         bool first) {
  Questions questions{.hints = {}, .logits = SoftLoss(options, classifies)};
  if (!first) return questions;
  for (const auto* pairs : {&options.hints, &options.attention}) {
    for (const LayerPair& pair : *pairs) questions.hints.push_back(pair.teacher);
  }
  return questions;
}

Var DistillObjective::OwnAnswer(LossContext& context, size_t output) const {
  return soft() ? train::Logits(context.outputs()[output]) : context.outputs()[output];
}

Var DistillObjective::OutputLoss(Var student, Var teacher) const {
  if (soft()) return train::SoftLogits(student, teacher, options_.temperature);
  if (options_.loss == DistillLoss::kHuber) return train::Huber(student, teacher);
  if (options_.loss == DistillLoss::kCosine) return train::CosineDistance(student, teacher);
  return train::MeanSquare(student, teacher);
}

Result<Var> DistillObjective::LayerLosses(LossContext& context, const std::vector<Var>& layers) {
  Var sum;
  const auto add = [&](Var loss, float weight) {
    const Var weighted = loss * weight;
    sum = sum ? sum + weighted : weighted;
  };
  size_t next = 0;
  for (const LayerPair& pair : options_.hints) {
    PARE_ASSIGN(Var own, context.value(pair.student));
    const Var other = layers[next++];
    PARE_TRY(CheckPair(pair, own.dims(), other.dims()));
    if (own.dims()[1] != other.dims()[1]) {
      PARE_ASSIGN(own, Project(context, pair.student, own, other.dims()[1]));
    }
    add(train::MeanSquare(own, other), options_.hint_weight);
  }
  for (const LayerPair& pair : options_.attention) {
    PARE_ASSIGN(const Var own, context.value(pair.student));
    const Var other = layers[next++];
    PARE_TRY(CheckPair(pair, own.dims(), other.dims()));
    add(train::AttentionMaps(own, other), options_.attention_weight);
  }
  return sum;
}

Result<Var> DistillObjective::Emit(LossContext& context) {
  const size_t outputs = context.outputs().size();
  const int64_t batch = context.outputs()[0].dims()[0];
  Var loss;
  const auto add = [&](Var part) { loss = loss ? loss + part : part; };
  for (size_t t = 0; t < teachers_.size(); ++t) {
    std::vector<Var> answers;
    for (Dims shape : teachers_[t].shapes()) {
      shape.insert(shape.begin(), batch);
      answers.push_back(context.AddTarget(Text("teacher", t, ".", answers.size()), shape));
    }
    if (answers.size() < outputs) {
      return Fail(ErrorKind::kUsage,
                  Text("the student has ", outputs, " outputs, the teacher ", answers.size()));
    }
    for (size_t o = 0; o < outputs; ++o) {
      const Var student = OwnAnswer(context, o);
      Var teacher = answers[o];
      if (CountOf(student.dims()).value_or(0) != CountOf(teacher.dims()).value_or(1)) {
        return Fail(ErrorKind::kUsage,
                    Text("the student's output is ", DimsText(student.dims()), ", the teacher's ",
                         DimsText(teacher.dims())),
                    "a student answers what its teacher answers");
      }
      teacher = ops::Reshape(teacher, student.dims());
      add(OutputLoss(student, teacher) * (options_.alpha / static_cast<float>(teachers_.size())));
    }
    if (t > 0) continue;
    PARE_ASSIGN(
        const Var layers,
        LayerLosses(context, {answers.begin() + static_cast<ptrdiff_t>(outputs), answers.end()}));
    if (layers) add(layers);
    if (options_.relation_weight > 0) {
      add(train::PairDistances(OwnAnswer(context, 0), answers[0]) * options_.relation_weight);
    }
  }
  if (options_.alpha < 1) {
    const Var logits = train::Logits(context.outputs()[0]);
    classes_ = logits.dims()[1];
    const Var target = context.AddTarget("labels", {batch, classes_});
    add(train::CrossEntropy(logits, target) * (1 - options_.alpha));
  }
  return loss;
}

std::string DistillObjective::Identity() const {
  const DistillOptions& o = options_;
  std::string text = Text("teachers");
  for (const Teacher& teacher : teachers_) text += Text(' ', HexText(teacher.identity()));
  text += Text(", loss ", kNames[static_cast<int>(o.loss)], ", classes ", int{classifies_},
               ", temperature ", o.temperature, ", alpha ", o.alpha, ", smoothing ", o.smoothing);
  const auto pairs = [&](std::string_view kind, const std::vector<LayerPair>& layers,
                         float weight) {
    for (const LayerPair& pair : layers)
      text += Text(", ", kind, ' ', weight, ' ', pair.student, '=', pair.teacher);
  };
  pairs("hint", o.hints, o.hint_weight);
  pairs("attention", o.attention, o.attention_weight);
  return text + Text(", relations ", o.relation_weight);
}

Result<std::vector<Tensor>> DistillObjective::Targets(const train::TrainBatch& batch) {
  std::vector<Tensor> targets;
  for (Teacher& teacher : teachers_) {
    PARE_ASSIGN(auto answers, teacher.Answer(batch.data.inputs));
    targets.insert(targets.end(), answers.begin(), answers.end());
  }
  if (options_.alpha < 1) {
    PARE_ASSIGN(Tensor rows, train::LabelRows(batch, classes_, options_.smoothing));
    targets.push_back(std::move(rows));
  }
  return targets;
}

}  // namespace pare::compress
