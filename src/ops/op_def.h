// What an operator means: ONE record each, in one file per family. ops.inc is the list of them all.
//
//   infer    types of the outputs from those of the inputs (and from inputs that are known)
//   prepare  for static types: check, choose the kernel, pack weights, ask for scratch, declare the
//   steps;
//            it may fail and allocate. The steps that it declares can do neither.
//   grad     its gradient as nodes, or why there is none
//   quant    how the operator takes part in integer computation, as data
//   channels what a channel that is removed takes with it, or why none can be
//   cost     the work, for reports and for the choice between plans
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/status.h"

namespace pare::ops {

class InferContext;
class PrepareContext;
class GradContext;
class ChannelContext;
class ChannelEdit;
class NodeView;

enum class Presence : uint8_t { kRequired, kOptional, kVariadic };

struct Slot {
  std::string_view name;
  Presence presence = Presence::kRequired;
};

inline constexpr int kMaxSlots = 10;
using Slots = std::array<Slot, kMaxSlots>;  // an empty name ends the list

// What an operand is to quantization.
enum class Role : uint8_t {
  kNone,        // an index, a shape: never quantized
  kActivation,  // u8, one scale and zero point a tensor
  kWeight,      // s8, symmetric, one scale a channel of `channel_axis`
  kBias,        // i32 with the scale x_scale · w_scale[channel]
};

struct QuantOperand {
  Role role = Role::kNone;
  int8_t channel_axis = 0;  // of a weight
};

struct QuantRule {
  std::array<QuantOperand, kMaxSlots> inputs{};
  // The operator computes in integers: its output gets a scale of its own.
  bool integer = false;
  // The operator only moves or selects values: input 0 (all, for a variadic one) and output share a
  // scale.
  bool same_scale = false;
  // Fixed range of the output whatever the data (Softmax, Sigmoid: 0…1); lo == hi: none.
  float fixed_lo = 0, fixed_hi = 0;
  // Why there is no integer form; shown in reports. Empty where `integer` or `same_scale`.
  std::string_view keep_float = {};
};

// How the operator is differentiated (ops/grad.h).
struct GradRule {
  // Emits nodes for the gradients that the context wants.
  Status (*emit)(GradContext&) = nullptr;
  // Why there is none; part of the error where one is asked for. Empty where `emit` is there.
  std::string_view none = {};
  // Bit i: a constant in input i is a parameter, which training moves.
  uint32_t parameters = 0;
  // The same for operands of arithmetic, which are parameters (a bias, a scale) only behind a layer
  // that has some: before the first, they prepare the input.
  uint32_t late_parameters = 0;
  // The products in each sum that the matrix or the filters in this input are part of; 0 where the
  // input is neither. Null: the operator has none. The operand is there, and is not empty.
  int64_t (*fan_in)(const NodeView&, int input) = nullptr;
};
constexpr uint32_t Inputs(std::initializer_list<int> inputs) {
  uint32_t bits = 0;
  for (int i : inputs) bits |= 1u << i;
  return bits;
}

// Which channels go together when some are removed (ops/channels.h). One of `axes`, `tie` and
// `none`.
struct ChannelRule {
  // A label for each axis of the operands, as in Einsum: "nc*,oc*,o->no*". Equal labels are tied,
  // place by place; a star stands for any number of axes that must stay as they are.
  std::string_view axes = {};
  // Where it takes more than labels.
  void (*tie)(ChannelContext&) = nullptr;
  // Mends attributes and shape constants after channels have gone; null: there is nothing to mend.
  Status (*edit)(ChannelEdit&) = nullptr;
  // Why none of its channels can go; reports show it.
  std::string_view none = {};
};

// The work of one node.
struct Cost {
  int64_t macs = 0;   // multiply-accumulates
  int64_t flops = 0;  // other arithmetic
};

// How near two correct implementations of the operator must be.
enum class Accuracy : uint8_t {
  kExact,        // the same bits (moves, integer arithmetic)
  kRounding,     // sums in another order: relative 1e-5 of the output's range
  kApproximate,  // a transcendental function: relative 1e-4 of the output's range
};

struct OpDef {
  std::string_view name;
  Slots inputs{};
  Slots outputs{};
  Status (*infer)(InferContext&) = nullptr;
  Status (*prepare)(PrepareContext&) = nullptr;
  GradRule grad{};
  QuantRule quant{};
  ChannelRule channels{};
  Cost (*cost)(const NodeView&) = nullptr;  // null: moves only
  Accuracy accuracy = Accuracy::kExact;
  bool mixed_types = false;  // operands may have different types (scales, ratios beside the data)
  bool foldable = true;      // the same inputs always give the same outputs
};

// Null where pare has no such operator.
const OpDef* FindOp(std::string_view name);
std::span<const OpDef* const> AllOps();

}  // namespace pare::ops
