#include "train/program.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "passes/bind.h"
#include "train/autodiff.h"
#include "train/defaults.h"
#include "train/recompute.h"

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

// What a model that answers in a narrower float type has computed in float32.
ValueId BeforeNarrowing(const Graph& graph, ValueId output) {
  const graph::Node* cast = graph.producer_of(output);
  const DType dtype = graph.value(output).type.dtype;
  if (!cast || cast->op != "Cast" || !IsFloat(dtype) || dtype == DType::kF32) return output;
  const ValueId wide = cast->inputs[0];
  return graph.value(wide).type.dtype == DType::kF32 ? wide : output;
}

// The loss replaces the model's outputs.
Result<std::vector<ValueId>> EmitLoss(Graph& graph, Objective& objective) {
  PARE_ASSIGN(ops::KnownDims dims, ops::InferTypesAndDims(graph));
  ops::Emitter emit(graph, dims);
  emit.set_origin("loss");
  std::vector<Var> outputs;
  for (const graph::Output& output : graph.outputs())
    outputs.push_back(emit.Of(BeforeNarrowing(graph, output.value)));
  LossContext context(emit, outputs);
  PARE_ASSIGN(const Var loss, objective.Emit(context));
  PARE_TRY(emit.status());
  graph.ClearOutputs();
  graph.AddOutput(loss.id(), "loss");
  graph.RemoveDead();
  return context.parameters();
}

// Inputs of the graph; Program::InputsFor gives them in this order.
StepScalars AddScalars(ops::Emitter& emit, int64_t parts) {
  StepScalars scalars{.rate = ScalarInput(emit, "rate"),
                      .step = ScalarInput(emit, "number"),
                      .gradient_scale = {},
                      .keeps_sum = {},
                      .moves = {}};
  scalars.gradient_scale = emit.Scalar(1.0f / static_cast<float>(parts));
  if (parts == 1) return scalars;
  scalars.keeps_sum = ScalarInput(emit, "keeps_sum");
  scalars.moves = ScalarInput(emit, "moves");
  return scalars;
}

// Gradients and updates behind the loss; the averaged weights.
Result<std::vector<Average>> EmitStep(Graph& graph, const std::vector<ValueId>& parameters,
                                      const ProgramOptions& options) {
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
  const Updates updates =
      EmitUpdates(emit, moved, loss, AddScalars(emit, options.parts), options.optimizer);
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

std::vector<Dims> InputShapes(const Graph& graph) {
  std::vector<Dims> shapes;
  for (ValueId id : graph.inputs()) shapes.push_back(graph.value(id).type.dims());
  return shapes;
}

// Finds the first value that a fault may have begun with: one that holds what is not finite. −∞
// alone is none where an operand has it already: attention is masked so.
class FaultFinder {
 public:
  FaultFinder(const Graph& graph, std::span<const Tensor> inputs) : graph_(graph) {
    for (size_t i = 0; i < inputs.size(); ++i)
      AddMinusInfinity(graph.inputs()[i], inputs[i].data(), graph::TypeOf(inputs[i]));
  }

  void Look(const runtime::PinnedValue& value, const void* data) {
    const ValueId id = graph_.FindValue(value.name);
    const bool masked =
        id != ValueId::kNone && AddMinusInfinity(id, data, value.type) && HasMaskedOperand(id);
    const bool fault =
        Any(data, value.type, [&](float x) { return !std::isfinite(x) && !(masked && x < 0); });
    if (fault && first_.empty()) first_ = LayerOf(id, value.name);
  }
  const std::string& first() const { return first_; }  // its layer's name, or ""

 private:
  // People know a layer by its first output, not by the statistics that it leaves.
  std::string LayerOf(ValueId id, const std::string& name) const {
    const graph::Node* node = id == ValueId::kNone ? nullptr : graph_.producer_of(id);
    const ValueId first = node ? node->outputs[0] : ValueId::kNone;
    return first == ValueId::kNone ? name : graph_.value(first).name;
  }
  template <typename Is>
  static bool Any(const void* data, const graph::TensorType& type, Is is) {
    if (type.dtype != DType::kF32) return false;
    const float* values = static_cast<const float*>(data);
    return std::any_of(values, values + CountOf(type.dims()).value_or(0), is);
  }
  // Whether it has it.
  bool AddMinusInfinity(ValueId id, const void* data, const graph::TensorType& type) {
    const bool has = Any(data, type, [](float x) { return x < 0 && std::isinf(x); });
    if (has) minus_infinite_.insert(id);
    return has;
  }
  bool HasMaskedOperand(ValueId id) {
    const graph::Node* node = graph_.producer_of(id);
    return node && std::any_of(node->inputs.begin(), node->inputs.end(), [&](ValueId input) {
             if (input == ValueId::kNone) return false;
             const graph::Value& value = graph_.value(input);
             return minus_infinite_.contains(input) ||
                    (value.data && AddMinusInfinity(input, value.data.data(), value.type));
           });
  }

  const Graph& graph_;
  std::set<ValueId> minus_infinite_;  // values that hold −∞
  std::string first_;
};

Result<Tensor> CopyOf(const Tensor& tensor) {
  PARE_ASSIGN(Tensor copy, Tensor::Make(tensor.dtype(), tensor.shape()));
  std::memcpy(copy.mutable_data(), tensor.data(), tensor.bytes());
  return copy;
}

bool IsZero(const Tensor& tensor) {
  const auto* bytes = static_cast<const std::byte*>(tensor.data());
  return std::all_of(bytes, bytes + tensor.bytes(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

Status CheckParts(const ProgramOptions& options) {
  if (options.parts >= 1 && options.batch % options.parts == 0) return {};
  return Fail(
      ErrorKind::kUsage,
      Text("a batch of ", options.batch, " can't be cut into ", options.parts, " equal parts"),
      "the parts have to divide --batch");
}

Result<Program> Program::Make(const Graph& model, Objective& objective,
                              const model::Context& context, const ProgramOptions& options) {
  PARE_TRY(CheckParts(options));
  Program program;
  program.parts_ = options.parts;
  program.model_ = model;
  program.objective_ = &objective;
  program.context_ = context;
  PARE_ASSIGN(program.parameters_, FindParameters(model, options.parameters));
  PARE_ASSIGN(Graph trained, WithParameters(model, program.parameters_));
  if (options.keep_zeros) {
    PARE_ASSIGN(program.masks_, InsertMasks(trained, program.parameters_));
  }
  std::vector<Dims> shapes = options.shapes;
  if (shapes.empty()) {
    PARE_ASSIGN(shapes, model::ShapesForBatch(trained, options.batch / options.parts));
  }
  PARE_ASSIGN(program.step_, passes::BindShapes(trained, shapes));
  PARE_ASSIGN(const auto more, EmitLoss(program.step_, objective));
  PARE_TRY(passes::RunPasses(program.step_, passes::TrainPasses()));
  std::vector<ValueId> moved = program.parameters_;
  moved.insert(moved.end(), more.begin(), more.end());
  PARE_ASSIGN(program.averages_, EmitStep(program.step_, moved, options));
  PARE_TRY(passes::RunPasses(program.step_, passes::StepPasses()));
  program.states_ = StatesOf(program.step_);
  program.outputs_.resize(program.step_.outputs().size());
  PARE_TRY(program.FitMemory(options));
  return program;
}

Result<std::vector<Tensor>> Program::CopyStates() const {
  std::vector<Tensor> copies;
  for (const State& state : states_) {
    PARE_ASSIGN(copies.emplace_back(), CopyOf(state.data));
  }
  return copies;
}

Result<std::vector<Tensor>> Program::StartStates() const {
  std::vector<Tensor> copies;
  for (const State& state : states_) {
    const bool of_model = IsOfModel(state.id);
    if (of_model && graph::SameTensor(model_.value(state.id).data, state.data)) {
      copies.push_back(model_.value(state.id).data);
    } else if (IsZero(state.data)) {
      copies.emplace_back();
    } else {
      PARE_ASSIGN(copies.emplace_back(), CopyOf(state.data));
    }
  }
  return copies;
}

void Program::PutStates(std::span<const Tensor> copies) {
  for (size_t i = 0; i < copies.size(); ++i) {
    Tensor& to = states_[i].data;
    if (copies[i]) {
      std::memcpy(to.mutable_data(), copies[i].data(), copies[i].bytes());
    } else {
      std::memset(to.mutable_data(), 0, to.bytes());
    }
  }
}

bool Program::IsOfModel(ValueId id) const {
  return static_cast<size_t>(id) < model_.value_count() && model_.is_constant(id);
}

// Compiles the step, so that what can fail fails before the first one; with as little computed anew
// as the memory allows.
Status Program::FitMemory(const ProgramOptions& options) {
  const int64_t max_memory_bytes = options.max_memory_bytes;
  int64_t states = 0;
  for (const State& state : states_) states += static_cast<int64_t>(state.data.bytes());
  const Graph plain = step_;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int level = 0; level < static_cast<int>(std::size(kRecomputations)); ++level) {
    step_ = Recompute(plain, plain.outputs()[0].value, kRecomputations[level]);
    if (level > 0 && step_.node_count() == plain.node_count()) continue;  // nothing was dropped
    PARE_ASSIGN(session_, MakeStepSession(step_, context_));
    PARE_ASSIGN(const auto plan, session_->PlanFor(InputShapes(step_)));
    const size_t scratch = plan->scratch_bytes * static_cast<size_t>(context_.pool->threads());
    memory_bytes_ = states + static_cast<int64_t>(plan->arena_bytes + scratch);
    recomputation_ = level;
    if (max_memory_bytes == 0 || memory_bytes_ <= max_memory_bytes) return {};
    least = std::min(least, memory_bytes_);
  }
  const int64_t megabytes = (least + kMegabyte - 1) / kMegabyte;
  return Fail(
      ErrorKind::kUnmet,
      Text("a step takes ", megabytes,
           " MB at least, even where activations are "
           "computed anew; allowed are ",
           max_memory_bytes / kMegabyte, " MB"),
      Text("--max-memory counts MB: ", megabytes, " is the least that is enough; or a smaller ",
           options.batch_option, ", or more --parts"));
}

Result<std::vector<Tensor>> Program::InputsFor(const TrainBatch& batch, const StepPlace& place) {
  PARE_ASSIGN(std::vector<Tensor> targets, objective_->Targets(batch));
  std::vector<Tensor> inputs = batch.data.inputs;
  inputs.insert(inputs.end(), targets.begin(), targets.end());
  const auto push = [&](double scalar) {
    inputs.push_back(Tensor::Scalar(static_cast<float>(scalar)));
  };
  push(place.rate);
  push(static_cast<double>(place.step));
  if (parts_ == 1) return inputs;
  const bool last = place.part + 1 == parts_;
  push(place.part == 0 ? 0 : 1);
  push(last ? 1 : 0);
  return inputs;
}

Result<StepResult> Program::Run(const TrainBatch& batch, const StepPlace& place) {
  PARE_ASSIGN(const auto inputs, InputsFor(batch, place));
  if (Status ran = session_->Run(inputs, outputs_); !ran)
    return Fail(data::OfSamples(ran.error(), batch.data));
  return StepResult{.loss = outputs_[0].as<float>()[0],
                    .gradient_norm = outputs_[1].as<float>()[0]};
}

Result<std::string> Program::FindNotFinite(const TrainBatch& batch, const StepPlace& place) {
  Graph watched = step_;
  for (graph::NodeId id : watched.Order()) {
    for (ValueId output : watched.node(id).outputs) {
      if (output != ValueId::kNone) watched.SetPinned(output, true);
    }
  }
  // What earlier parts gave was finite; the sum with this part's gradient may not be.
  for (State& state : states_) {
    if (state.name.starts_with(kSumOfParts))
      std::memset(state.data.mutable_data(), 0, state.data.bytes());
  }
  PARE_ASSIGN(const auto session, MakeStepSession(watched, context_));
  PARE_ASSIGN(const auto inputs, InputsFor(batch, place));
  FaultFinder faults(watched, inputs);
  const auto look = [&](const runtime::PinnedValue& value, const void* data) {
    faults.Look(value, data);
  };
  const runtime::Observer observer(look);
  std::vector<Tensor> outputs(watched.outputs().size());
  PARE_TRY(session->Run(inputs, outputs, {.observer = &observer}));
  return faults.first();
}

Result<Graph> Program::Finished() const {
  Graph finished = model_;
  const auto copy = [&](ValueId to, const Tensor& data) -> Status {
    if (!IsOfModel(to)) return {};
    PARE_ASSIGN(Tensor own, CopyOf(data));
    for (const Mask& mask : masks_) {
      if (mask.weight == to) FoldMask(mask, own);
    }
    finished.SetConstant(to, std::move(own));
    return {};
  };
  for (const State& state : states_) PARE_TRY(copy(state.id, state.data));
  for (const Average& average : averages_)
    PARE_TRY(copy(average.value, step_.value(average.average).data));
  return finished;
}

}  // namespace pare::train
