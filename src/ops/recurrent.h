// What LSTM, GRU and RNN share. x [T, B, I], w [D, G·H, I], r [D, G·H, H], b [D, 2·G·H], states
// [D, B, H]; G gates of H, D directions. y [T, D, B, H].
//
// The products with x don't depend on each other and are one matrix product for all T. What follows
// goes step by step in time: the product of the last state with r, then the cell. A direction is a
// task, or, where sequences differ in length, each sequence of each direction.
#pragma once

#include <array>

#include "kernels/gemm/gemm.h"
#include "kernels/recurrent/recurrent.h"
#include "ops/common.h"
#include "ops/optional_input.h"
#include "ops/prepare.h"

namespace pare::ops {

namespace recurrent {
enum Input { kX, kW, kR, kB, kLengths, kInitialH, kInitialC, kPeephole };
}

Status InferRecurrent(InferContext& context, int gates);
Cost CostOfRecurrent(const NodeView& view);

// Products with the matrix of each direction.
struct DirectionProducts {
  kernels::GemmShape shape;
  const kernels::GemmKernel* kernel = nullptr;
  const std::byte* packed = nullptr;  // null: in the temp
  int temp = -1;
  int64_t packed_bytes = 0;  // of one direction

  size_t scratch_bytes() const { return static_cast<size_t>(kernel->scratch_bytes(shape)); }
  const std::byte* matrix(const StepArgs& args, int64_t direction) const {
    const auto* all = packed ? packed : static_cast<const std::byte*>(args.temps[temp]);
    return all + direction * packed_bytes;
  }
  // c = a · matrix + residual (may be null), all tasks at once.
  void Run(const StepArgs& args, int64_t direction, const float* a, const float* residual,
           int64_t ldr, float* c, int64_t ldc, void* scratch) const noexcept;
};

struct RecurrentState {
  int64_t steps, batch, inputs, hidden, directions, gates;
  int64_t rows;                   // of a task: the batch, or 1 where lengths are given
  std::array<bool, 2> reverse{};  // by direction
  std::array<kernels::CellShape, 2> cell{};
  const kernels::RecurrentKernel* kernel[2]{};
  DirectionProducts x{}, r{}, r_candidate{};  // the last for GRU alone
  bool linear_before_reset = false;
  int sums_temp = -1;  // x · w + biases: [D, T·B, G·H]
  bool has_y = false, has_y_h = false, has_y_c = false;
  OptionalInput lengths{}, initial_h{}, initial_c{}, peephole{};

  // One step: `sums` are rows of x · w, width G·H apart by `batch` sequences; h and c are replaced.
  using Cell = void (*)(const RecurrentState&, const StepArgs&, int64_t direction,
                        const float* sums, float* h, float* c, float* work, void* gemm_scratch);
  Cell step = nullptr;
  int64_t work_floats = 0;  // what step needs in `work`
  int64_t tasks() const { return directions * batch / rows; }
};

// Reads attributes and shapes.
Result<RecurrentState> ReadRecurrent(PrepareContext& context, int gates,
                                     std::initializer_list<std::string_view> functions);
// What the attributes say of each direction: whether it goes backwards in time, and its cell (but
// for the peephole).
Result<std::array<bool, 2>> ReadReverse(const graph::Attrs& attrs);
Result<std::array<kernels::CellShape, 2>> ReadCells(
    const graph::Attrs& attrs, int64_t directions, int64_t hidden,
    std::initializer_list<std::string_view> functions);
// Packs rows [first, first + count) of the gates of r ([D, G·H, H]), or of w, for m rows of a. What
// is added to the result: the sum of w's and r's biases, one of them, or nothing.
enum class BiasPart : uint8_t { kNone, kBoth, kW, kR };
Result<DirectionProducts> PackDirections(PrepareContext& context, int input, int64_t m,
                                         int64_t first, int64_t count, BiasPart part,
                                         std::string_view key);
// Adds both steps; x, step and work_floats of the state are set.
Status AddRecurrentSteps(PrepareContext& context, RecurrentState state, std::string_view kernel);

// The gradient of a node of `op` through pare.<op>Grad, which goes back in time; what is summed
// over time and batch are matrix products.
Status GradRecurrent(GradContext& g, std::string_view grad_op, int64_t gates);

}  // namespace pare::ops
