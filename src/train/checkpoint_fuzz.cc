// Checkpoints of a run of 8 steps with one weight, from any bytes.
#include "train/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto arrays = pare::data::ParseNpz(std::as_bytes(std::span(data, size)), nullptr);
  if (!arrays) return 0;
  std::vector<pare::train::State> states{
      {"w", pare::graph::ValueId::kNone, pare::Tensor::Of<float>({2}, {0, 0})}};
  const auto state = pare::train::ReadCheckpoint(std::move(*arrays), states, {"run", 8});
  if (!state) return 0;
  // What the training loop relies on.
  if (state->step < 0 || state->step > 8 || state->best_step > state->step) __builtin_trap();
  if (state->best_states.size() != (state->best_step >= 0 ? 1u : 0u)) __builtin_trap();
  for (const auto& row : state->history) {
    if (row.step < 0 || row.step > state->step) __builtin_trap();
  }
  return 0;
}
