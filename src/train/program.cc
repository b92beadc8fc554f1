#include "train/program.h"

#include <algorithm>
#include <cmath>

#include "passes/bind.h"
#include "train/autodiff.h"

namespace pare::train {
namespace {

using graph::Graph;
using graph::ValueId;
using graph::ValueKind;
using ops::Var;

Var ScalarInput(ops::Emitter& emit, std::string_view name) {
  Graph& graph = emit.graph();
  return emit.Of(
      graph.AddInput(graph.FreshName(Text("step.", name)), {DType::kF32, graph::Shape()}));
}

// The loss replaces the model's outputs.
Result<std::vector<ValueId>> EmitLoss(Graph& graph, Objective& objective) {
  PARE_ASSIGN(ops::KnownDims dims, ops::InferTypesAndDims(graph));
  ops::Emitter emit(graph, dims);
  emit.set_origin("loss");
  std::vector<Var> outputs;
  for (const graph::Output& output : graph.outputs()) outputs.push_back(emit.Of(output.value));
  LossContext context(emit, outputs);
  PARE_ASSIGN(const Var loss, objective.Emit(context));
  PARE_TRY(emit.status());
  graph.ClearOutputs();
  graph.AddOutput(loss.id(), "loss");
  graph.RemoveDead();
  return context.parameters();
}

// Gradients and updates behind the loss; the averaged weights.
Result<std::vector<Average>> EmitStep(Graph& graph, const std::vector<ValueId>& parameters,
                                      const OptimizerOptions& options) {
  PARE_ASSIGN(ops::KnownDims dims, ops::InferTypesAndDims(graph));
  ops::Emitter emit(graph, dims);
  const Var loss = emit.Of(graph.outputs()[0].value);
  PARE_ASSIGN(const auto gradients, Differentiate(emit, loss.id(), parameters));
  std::vector<Parameter> moved;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (gradients[i] != ValueId::kNone)
      moved.push_back({emit.Of(parameters[i]), emit.Of(gradients[i])});
  }
  if (moved.empty()) {
    return Fail(ErrorKind::kUsage, "the loss depends on no weight that may move",
                "fewer --freeze patterns leave more to train");
  }
  emit.set_origin("step");
  const StepScalars scalars{.rate = ScalarInput(emit, "rate"),
                            .step = ScalarInput(emit, "number"),
                            .gradient_scale = emit.Scalar(1)};
  const Updates updates = EmitUpdates(emit, moved, loss, scalars, options);
  PARE_TRY(emit.status());
  graph.AddOutput(updates.gradient_norm.id(), "gradient_norm");
  return updates.averages;
}

std::vector<State> StatesOf(const Graph& graph) {
  std::vector<State> states;
  for (size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    const graph::Value& value = graph.value(id);
    const bool kept = value.kind == ValueKind::kParameter || value.kind == ValueKind::kState;
    if (kept && value.data && graph.FindValue(value.name) == id)
      states.push_back({value.name, id, value.data});
  }
  return states;
}

Result<std::unique_ptr<runtime::Session>> MakeStepSession(const Graph& step,
                                                          const model::Context& context) {
  const auto as_is = [](const Graph& graph, std::span<const Dims>) -> Result<Graph> {
    return graph;
  };
  return std::make_unique<runtime::Session>(step, context.cpu, context.pool, as_is);
}

bool IsFinite(const void* data, const graph::TensorType& type) {
  if (type.dtype != DType::kF32) return true;
  const float* values = static_cast<const float*>(data);
  const int64_t count = CountOf(type.dims()).value_or(0);
  return std::all_of(values, values + count, [](float x) { return std::isfinite(x); });
}

}  // namespace

Result<Program> Program::Make(const Graph& model, Objective& objective,
                              const model::Context& context, const ProgramOptions& options) {
  Program program;
  program.model_ = model;
  program.objective_ = &objective;
  program.context_ = context;
  PARE_ASSIGN(program.parameters_, FindParameters(model, options.parameters));
  PARE_ASSIGN(const Graph trained, WithParameters(model, program.parameters_));
  PARE_ASSIGN(const auto shapes, model::ShapesForBatch(trained, options.batch));
  PARE_ASSIGN(program.step_, passes::BindShapes(trained, shapes));
  PARE_ASSIGN(const auto more, EmitLoss(program.step_, objective));
  PARE_TRY(passes::RunPasses(program.step_, passes::TrainPasses()));
  std::vector<ValueId> moved = program.parameters_;
  moved.insert(moved.end(), more.begin(), more.end());
  PARE_ASSIGN(program.averages_, EmitStep(program.step_, moved, options.optimizer));
  PARE_TRY(passes::RunPasses(program.step_, passes::StepPasses()));
  program.states_ = StatesOf(program.step_);
  PARE_ASSIGN(program.session_, MakeStepSession(program.step_, context));
  program.outputs_.resize(program.step_.outputs().size());
  std::vector<Dims> inputs;
  for (ValueId id : program.step_.inputs()) inputs.push_back(program.step_.value(id).type.dims());
  PARE_TRY(program.session_->PlanFor(inputs));  // what can fail fails before the first step
  return program;
}

Result<std::vector<Tensor>> Program::InputsFor(const TrainBatch& batch, double rate, int64_t step) {
  PARE_ASSIGN(std::vector<Tensor> targets, objective_->Targets(batch));
  std::vector<Tensor> inputs = batch.data.inputs;
  inputs.insert(inputs.end(), targets.begin(), targets.end());
  inputs.push_back(Tensor::Scalar(static_cast<float>(rate)));
  inputs.push_back(Tensor::Scalar(static_cast<float>(step)));
  return inputs;
}

Result<StepResult> Program::Run(const TrainBatch& batch, double rate, int64_t step) {
  PARE_ASSIGN(const auto inputs, InputsFor(batch, rate, step));
  PARE_TRY(session_->Run(inputs, outputs_));
  return StepResult{.loss = outputs_[0].as<float>()[0],
                    .gradient_norm = outputs_[1].as<float>()[0]};
}

Result<std::string> Program::FindNotFinite(const TrainBatch& batch, double rate, int64_t step) {
  Graph watched = step_;
  for (graph::NodeId id : watched.Order()) {
    for (ValueId output : watched.node(id).outputs) {
      if (output != ValueId::kNone) watched.SetPinned(output, true);
    }
  }
  PARE_ASSIGN(const auto session, MakeStepSession(watched, context_));
  std::string first;
  const auto look = [&](const runtime::PinnedValue& value, const void* data) {
    if (first.empty() && !IsFinite(data, value.type)) first = value.name;
  };
  const runtime::Observer observer(look);
  PARE_ASSIGN(const auto inputs, InputsFor(batch, rate, step));
  std::vector<Tensor> outputs(watched.outputs().size());
  PARE_TRY(session->Run(inputs, outputs, {.observer = &observer}));
  return first;
}

Result<Graph> Program::Finished() const {
  Graph finished = model_;
  const auto copy = [&](ValueId to, const Tensor& data) -> Status {
    const bool of_model = static_cast<size_t>(to) < model_.value_count() && model_.is_constant(to);
    if (!of_model) return {};
    PARE_ASSIGN(Tensor own, Tensor::Make(data.dtype(), data.shape()));
    std::memcpy(own.mutable_data(), data.data(), data.bytes());
    finished.SetConstant(to, std::move(own));
    return {};
  };
  for (const State& state : states_) PARE_TRY(copy(state.id, state.data));
  for (const Average& average : averages_)
    PARE_TRY(copy(average.parameter, step_.value(average.average).data));
  return finished;
}

}  // namespace pare::train
