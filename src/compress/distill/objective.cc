#include "compress/distill/objective.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/hash.h"
#include "base/random.h"
#include "compress/class_axis.h"
#include "compress/distill/trunk.h"
#include "train/loss.h"

namespace pare::compress {

using ops::Var;
using train::LossContext;

namespace {

constexpr std::string_view kNames[] = {"auto", "soft", "mse", "huber", "cosine"};

// Takes the student's channels to the teacher's: a 1×1 convolution, or a matrix where the channels
// are the last axis.
Result<Var> Project(LossContext& context, const std::string& name, Var student, int axis,
                    int64_t channels) {
  const Dims from = student.dims();
  const bool last = axis + 1 == student.rank();
  const int64_t own = from[static_cast<size_t>(axis)];
  Dims shape = last ? Dims{own, channels} : Dims{channels, own};
  if (!last) shape.resize(from.size(), 1);
  PARE_ASSIGN(Tensor weights, Tensor::Make(DType::kF32, shape));
  Random random(HashOfText(name));
  const float deviation = 1 / std::sqrt(static_cast<float>(own));
  for (float& w : weights.mutable_as<float>()) w = deviation * random.Normal();
  const Var w = context.AddParameter(Text("projection.", name), std::move(weights));
  return last ? ops::MatMul(student, w) : context.emit().Add("Conv", {student, w});
}

// Of the same extents but for the channels, which may differ.
Status CheckPair(const LayerPair& pair, Dims student, Dims teacher, int axis) {
  const std::string text = Text("the student's layer \"", pair.student, "\" is ", DimsText(student),
                                ", the teacher's \"", pair.teacher, "\" ", DimsText(teacher));
  const bool ranks = student.size() == teacher.size() && student.size() >= 2;
  if (ranks) student[static_cast<size_t>(axis)] = teacher[static_cast<size_t>(axis)];
  if (ranks && student == teacher) return {};
  return Fail(ErrorKind::kUsage, text, "pair layers of the same extents; the channels may differ");
}

}  // namespace

Likeness LikenessFor(DistillLoss loss, bool classifies) {
  if (loss == DistillLoss::kCosine) return Likeness::kCosine;
  const bool soft = loss == DistillLoss::kSoft || loss == DistillLoss::kAuto;
  if (soft && classifies) return Likeness::kAgreement;
  return loss == DistillLoss::kSoft ? Likeness::kPositions : Likeness::kSnr;
}

Result<DistillLoss> ParseDistillLoss(std::string_view name) {
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (kNames[i] == name) return static_cast<DistillLoss>(i);
  }
  return Fail(ErrorKind::kUsage, Text("\"", name, "\" is no loss"),
              "auto, soft, mse, huber or cosine");
}

std::string LossNote(DistillLoss loss, bool classifies, const graph::Graph& teacher,
                     std::string_view option) {
  if (loss != DistillLoss::kAuto) return "";
  if (classifies) {
    if (option.empty()) return "";  // the command tells what it takes the model for
    return Text("the teacher's output is taken for the scores of ", ClassCount(teacher).value_or(0),
                " classes (", option, " soft); where it is values, give ", option, " mse");
  }
  if (teacher.outputs().size() < 2 || teacher.metadata.contains(kOutputsKey)) return "";
  std::string names;
  for (const graph::Output& output : teacher.outputs())
    names += Text(names.empty() ? "\"" : ", \"", output.name, '"');
  const std::string note = Text("each of the teacher's ", teacher.outputs().size(), " outputs (",
                                names, ") is learned as values, by its mean square error");
  if (option.empty()) return note;
  return Text(note, " (", option, " mse); where all are scores of classes, give ", option, " soft");
}

bool IsSoft(DistillLoss loss, bool classifies) {
  return loss == DistillLoss::kSoft || (loss == DistillLoss::kAuto && classifies);
}

Questions DistillObjective::QuestionsFor(const DistillOptions& options, bool classifies,
                                         bool first) {
  Questions questions{.hints = {}, .logits = IsSoft(options.loss, classifies)};
  if (!first) return questions;
  for (const auto* pairs : {&options.hints, &options.attention}) {
    for (const LayerPair& pair : *pairs) questions.hints.push_back(pair.teacher);
  }
  return questions;
}

Var DistillObjective::OwnAnswer(LossContext& context, size_t output) const {
  return soft() ? train::Logits(context.outputs()[output]) : context.outputs()[output];
}

Result<Var> DistillObjective::OutputLoss(LossContext& context, size_t output,
                                         const Teacher& teacher, Var answer) const {
  const Var student = OwnAnswer(context, output);
  const Dims shape = student.dims(), others = answer.dims();
  if (shape.empty() || CountOf(shape).value_or(0) != CountOf(others).value_or(1)) {
    return Fail(
        ErrorKind::kUsage,
        Text("the student's output is ", DimsText(shape), ", the teacher's ", DimsText(others)),
        "a student answers what its teacher answers");
  }
  answer = ops::Reshape(answer, shape);
  if (options_.loss == DistillLoss::kHuber) return train::Huber(student, answer);
  if (options_.loss == DistillLoss::kCosine) return train::CosineDistance(student, answer);
  if (!soft()) return train::MeanSquare(student, answer);
  const auto own = train::SoftmaxAxis(context.emit().graph(), context.outputs()[output].id());
  PARE_ASSIGN(const int axis,
              ClassAxis(shape, own, shape == others ? teacher.softmax_axes()[output] : own));
  return train::SoftLogits(student, answer, options_.temperature, axis);
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
    const int axis = ChannelAxis(context.emit().graph(), own.id());
    PARE_TRY(CheckPair(pair, own.dims(), other.dims(), axis));
    const int64_t channels = other.dims()[static_cast<size_t>(axis)];
    if (own.dims()[static_cast<size_t>(axis)] != channels) {
      PARE_ASSIGN(own, Project(context, pair.student, own, axis, channels));
    }
    add(train::MeanSquare(own, other), options_.hint_weight);
  }
  for (const LayerPair& pair : options_.attention) {
    PARE_ASSIGN(const Var own, context.value(pair.student));
    const Var other = layers[next++];
    const int axis = ChannelAxis(context.emit().graph(), own.id());
    PARE_TRY(CheckPair(pair, own.dims(), other.dims(), axis));
    if (own.rank() < 3) {
      return Fail(ErrorKind::kUsage,
                  Text("the layer \"", pair.student, "\" is ", DimsText(own.dims()),
                       ": an attention map needs positions"),
                  "--hint takes layers of channels alone");
    }
    add(train::AttentionMaps(own, other, axis), options_.attention_weight);
  }
  return sum;
}

Result<Var> DistillObjective::Emit(LossContext& context) {
  const size_t outputs = context.outputs().size();
  if (context.outputs()[0].rank() == 0) {
    return Fail(ErrorKind::kUsage, "the student's output is one number for all samples",
                "distillation compares samples: the output's first axis is to be the batch");
  }
  const int64_t batch = context.outputs()[0].dims()[0];
  Var loss;
  const auto add = [&](Var part) { loss = loss ? loss + part : part; };
  for (size_t t = 0; t < teachers_.size(); ++t) {
    const Teacher& teacher = teachers_[t];
    if (teacher.outputs() != outputs) {
      return Fail(ErrorKind::kUsage,
                  Text("the student has ", outputs, " outputs, the teacher ", teacher.outputs()),
                  "a student answers what its teacher answers: export both with the same outputs");
    }
    std::vector<Var> answers;
    for (Dims shape : teacher.shapes()) {
      shape.insert(shape.begin(), batch);
      answers.push_back(context.AddTarget(Text("teacher", t, ".", answers.size()), shape));
    }
    for (size_t o = 0; o < outputs; ++o) {
      PARE_ASSIGN(const Var part, OutputLoss(context, o, teacher, answers[o]));
      add(part * (options_.alpha / static_cast<float>(teachers_.size())));
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
    PARE_ASSIGN(const train::LabelLoss labels, train::EmitLabelLoss(context));
    classes_ = labels.classes;
    add(labels.loss * (1 - options_.alpha));
  }
  return loss;
}

std::string DistillObjective::Identity() const {
  const DistillOptions& o = options_;
  std::string text = classifies_ ? "answers as classes, teacher" : "answers, teacher";
  for (const Teacher& teacher : teachers_) text += Text(" #", HexText(teacher.identity()));
  text += Text(", loss ", kNames[static_cast<int>(o.loss)], ", temperature ", o.temperature,
               ", alpha ", o.alpha, ", smoothing ", o.smoothing);
  const auto pairs = [&](std::string_view kind, const std::vector<LayerPair>& layers,
                         float weight) {
    for (const LayerPair& pair : layers)
      text += Text(", ", kind, ' ', pair.student, '=', pair.teacher);
    if (!layers.empty()) text += Text(", ", kind, "-weight ", weight);
  };
  pairs("hint", o.hints, o.hint_weight);
  pairs("attention", o.attention, o.attention_weight);
  return text + Text(", relation-weight ", o.relation_weight);
}

Result<std::vector<Tensor>> DistillObjective::Targets(const train::TrainBatch& batch) {
  std::vector<Tensor> targets;
  for (Teacher& teacher : teachers_) {
    const auto answers = teacher.Answer(batch.data.inputs);
    if (!answers) return Fail(data::OfSamples(answers.error(), batch.data));
    targets.insert(targets.end(), answers->begin(), answers->end());
  }
  if (options_.alpha < 1) {
    PARE_ASSIGN(Tensor rows, train::LabelRows(batch, classes_, options_.smoothing));
    targets.push_back(std::move(rows));
  }
  return targets;
}

}  // namespace pare::compress
