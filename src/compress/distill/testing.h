// What the tests of distillation share: graphs from text, a machine of one thread, a loss.
#pragma once

#include <gtest/gtest.h>

#include "base/random.h"
#include "compress/distill/objective.h"
#include "graph/text.h"
#include "ops/emit.h"
#include "train/program.h"

namespace pare::compress {

inline graph::Graph GraphOf(std::string_view text) {
  auto graph = graph::Parse(text);
  EXPECT_TRUE(graph) << graph.error().message();
  const Status status = ops::InferTypes(*graph);
  EXPECT_TRUE(status) << status.error().message();
  return *graph;
}

inline const model::Context& OneThread() {
  static const model::Context context = model::Context::Make(1);
  return context;
}

inline Tensor RowsOf(Dims shape, uint64_t seed = 1) {
  Tensor rows = Tensor::Make(DType::kF32, std::move(shape)).value();
  Random random(seed);
  for (float& x : rows.mutable_as<float>()) x = random.Normal();
  return rows;
}

// The loss of a student by a teacher on these inputs, before the first step.
inline Result<float> LossOf(const graph::Graph& student, const graph::Graph& teacher,
                            const std::vector<Tensor>& inputs, const DistillOptions& options = {},
                            bool classifies = true, const std::vector<int64_t>& labels = {}) {
  const int64_t batch = inputs[0].shape()[0];
  const auto questions = DistillObjective::QuestionsFor(options, classifies, true);
  std::vector<Teacher> teachers;
  PARE_ASSIGN(Teacher made, Teacher::Make(teacher, questions, OneThread(),
                                          {.batch = batch, .cache_bytes = 0, .inputs = {}}));
  teachers.push_back(std::move(made));
  DistillObjective objective(std::move(teachers), classifies, options);
  train::ProgramOptions program_options;
  program_options.batch = batch;
  PARE_ASSIGN(auto program, train::Program::Make(student, objective, OneThread(), program_options));
  train::TrainBatch rows;
  rows.data.inputs = inputs;
  rows.data.labels = labels;
  PARE_ASSIGN(const train::StepResult step, program.Run(rows, {.step = 1, .rate = 0}));
  return step.loss;
}

}  // namespace pare::compress
