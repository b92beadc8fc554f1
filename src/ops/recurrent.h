// What LSTM, GRU and RNN share. x [T, B, I], w [D, G·H, I], r [D, G·H, H], b [D, 2·G·H], states
// [D, B, H]; G gates of H, D directions. y [T, D, B, H].
//
// The products with x don't depend on each other and are one matrix product for all T. What follows
// goes step by step in time: the product of the last state with r, then the cell. A direction is a
// task, or, where sequences differ in length, each sequence of each direction.
#pragma once

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

// Products with the constant matrix of each direction.
struct DirectionProducts {
  kernels::GemmShape shape;
  const kernels::GemmKernel* kernel = nullptr;
  const std::byte* packed = nullptr;
  int64_t packed_bytes = 0;  // of one direction

  size_t scratch_bytes() const { return static_cast<size_t>(kernel->scratch_bytes(shape)); }
  // c = a · matrix + residual (may be null), all tasks at once.
  void Run(int64_t direction, const float* a, const float* residual, int64_t ldr, float* c,
           int64_t ldc, void* scratch) const noexcept;
};

struct RecurrentState {
  int64_t steps, batch, inputs, hidden, directions, gates;
  int64_t rows;  // of a task: the batch, or 1 where lengths are given
  bool reverse[2] = {};
  kernels::CellShape cell[2]{};
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
// Packs rows [first, first + count) of the gates of r ([D, G·H, H]), or of w, for m rows of a.
// `bias` is added to the result: [D, count], or empty.
Result<DirectionProducts> PackDirections(PrepareContext& context, int input, int64_t m,
                                         int64_t first, int64_t count, std::vector<float> bias,
                                         std::string_view key);
// The sum of w's and r's bias for every gate, or one of them alone: [D, G·H]; zeros without b.
enum class BiasPart : uint8_t { kBoth, kW, kR };
Result<std::vector<float>> BiasOf(PrepareContext& context, int64_t gate_width, BiasPart part);
// Adds both steps; x, step and work_floats of the state are set.
Status AddRecurrentSteps(PrepareContext& context, RecurrentState state, std::string_view kernel);

}  // namespace pare::ops
