// Knowledge distillation: a student learns a teacher's answers, and what they rest on.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "compress/distill/pairs.h"
#include "compress/distill/teacher.h"
#include "compress/validate.h"
#include "train/objective.h"

namespace pare::compress {

enum class DistillLoss : uint8_t {
  kAuto,    // kSoft for classifiers, else kMse
  kSoft,    // soft logits: Hinton, Vinyals & Dean 2015. Of dense outputs position by position, the
            // classes along axis 1, or along that of a final Softmax; [batch, a, b] needs one
  kMse,     // of the outputs
  kHuber,   // of the outputs
  kCosine,  // of the outputs: embeddings
};
// What chooses the best weights of a run with this loss: what it minimises.
Likeness LikenessFor(DistillLoss loss, bool classifies);
Result<DistillLoss> ParseDistillLoss(std::string_view name);

// Whether classes are compared, as soft logits, and not values.
bool IsSoft(DistillLoss loss, bool classifies);
// What kAuto guessed of a teacher's outputs: that its one output is scores of classes, or that its
// several are values; with the way out by `option`, unless that is "". Else "".
std::string LossNote(DistillLoss loss, bool classifies, const graph::Graph& teacher,
                     std::string_view option);

struct DistillOptions {
  DistillLoss loss = DistillLoss::kAuto;
  float temperature = 4;
  // The part of the teachers in the loss; the rest is cross-entropy by labels. 1: no labels needed.
  float alpha = 1;
  float smoothing = 0;  // of the labels
  // Hints: mean square to the teacher's features, through a learned 1×1 projection where the
  // channels (trunk.h tells their axis) differ (Romero et al., "FitNets", 2015, §2.2).
  std::vector<LayerPair> hints;
  float hint_weight = 1;
  std::vector<LayerPair> attention;  // transfer of attention maps
  float attention_weight = 100;
  float relation_weight = 0;  // distances between the samples of a batch, at the first output
};

// One loss for all teachers: their answers are averaged in the loss, hints come from the first.
class DistillObjective : public train::Objective {
 public:
  // `classifies`: whether the teacher's first output scores classes. The teachers answer what
  // QuestionsFor says.
  DistillObjective(std::vector<Teacher> teachers, bool classifies, DistillOptions options)
      : teachers_(std::move(teachers)), classifies_(classifies), options_(std::move(options)) {}

  // What teachers are asked with these options: the first one for the hints' and attention maps'
  // layers, too, in that order.
  static Questions QuestionsFor(const DistillOptions& options, bool classifies, bool first);

  Result<ops::Var> Emit(train::LossContext& context) override;
  Result<std::vector<Tensor>> Targets(const train::TrainBatch& batch) override;
  std::string Identity() const override;
  std::vector<Teacher>& teachers() { return teachers_; }

 private:
  bool soft() const { return IsSoft(options_.loss, classifies_); }
  // What the student answers to the question that its teachers are asked.
  ops::Var OwnAnswer(train::LossContext& context, size_t output) const;
  Result<ops::Var> OutputLoss(train::LossContext& context, size_t output, const Teacher& teacher,
                              ops::Var answer) const;
  Result<ops::Var> LayerLosses(train::LossContext& context, const std::vector<ops::Var>& layers);

  std::vector<Teacher> teachers_;
  bool classifies_;
  DistillOptions options_;
  int64_t classes_ = 0;
};

}  // namespace pare::compress
