// Optimizers, as nodes that end in assignments: after a step each parameter holds its new value.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ops/emit.h"

namespace pare::train {

enum class OptimizerKind : uint8_t { kSgd, kAdamW };
Result<OptimizerKind> ParseOptimizer(std::string_view name);  // "sgd", "adamw"
std::string_view OptimizerName(OptimizerKind kind);
double DefaultRate(OptimizerKind kind);  // of learning, at its highest

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::kSgd;
  // SGD: buffer = momentum · buffer + g; p −= rate · buffer, or with Nesterov's look ahead
  // rate · (g + momentum · buffer) (Sutskever et al. 2013, in the form of PyTorch).
  float momentum = 0.9f;
  bool nesterov = false;
  // AdamW (Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2).
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
  float weight_decay = 0;  // coupled for SGD, decoupled for AdamW
  // Vectors (biases, scales) decay, too; by default only weights of two dimensions and more do.
  bool decay_vectors = false;
  std::vector<std::string> no_decay;  // glob patterns over the parameters' names
  float clip_norm = 0;                // of all gradients together; 0: no limit
  // Decay of the averaged weights and statistics, less in the first steps; 0: none.
  float ema = 0;
};

struct Parameter {
  ops::Var value, gradient;
};

// How the states begin their names that add up the gradients of a step's parts.
inline constexpr std::string_view kSumOfParts = "optimizer.gradient.";

// What changes from step to step: scalars, inputs of the graph.
struct StepScalars {
  ops::Var rate;            // of learning
  ops::Var step;            // from 1
  ops::Var gradient_scale;  // 1 / parts of a step
  // Only where a step's gradient comes in parts; 0 or 1.
  ops::Var keeps_sum;  // 0: a step begins, the sum of the parts begins anew
  ops::Var moves;      // 1: the last part, with which parameters move
};

struct Average {
  graph::ValueId value, average;
};

struct Updates {
  ops::Var gradient_norm;  // of all gradients together, before clipping
  // Of each parameter, and of each state that the graph assigned before; empty without options.ema.
  std::vector<Average> averages;
};

// Adds the update of every parameter, and its states. States that the graph assigns already are
// running statistics. Where the loss or the norm is not finite, nothing moves, statistics and
// averages neither (of a step in parts: nothing by the part that is not), so that the step can be
// looked at again.
Updates EmitUpdates(ops::Emitter& emit, std::span<const Parameter> parameters, ops::Var loss,
                    const StepScalars& scalars, const OptimizerOptions& options);

}  // namespace pare::train
