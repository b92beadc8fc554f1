#include "ops/move.h"

#include "kernels/move/move.h"
#include "ops/common.h"

namespace pare::ops {
namespace {

struct Part {
  kernels::MoveBox box;
  int input, output;
  int64_t from, to;
  int64_t rows = 0, rows_per_task = 1;
  int64_t first_task = 0, end_task = 0;
};

struct MoveState {
  std::vector<Part> parts;
};

void RunMove(const StepArgs& args) noexcept {
  for (const Part& part : static_cast<const MoveState*>(args.state)->parts) {
    const int64_t begin = std::max(args.begin, part.first_task) - part.first_task;
    const int64_t end = std::min(args.end, part.end_task) - part.first_task;
    if (begin >= end) continue;
    const std::byte* from = args.in<std::byte>(part.input) + part.from * part.box.element_bytes;
    std::byte* to = args.out<std::byte>(part.output) + part.to * part.box.element_bytes;
    if (from == to) continue;  // in place
    kernels::Move(part.box, from, to, begin * part.rows_per_task,
                  std::min(end * part.rows_per_task, part.rows));
  }
}

// Halves long rows, so that there is something to share among threads.
void SplitRow(Nest& nest) {
  Nest::Loop row = nest.loops.back();
  int64_t pieces = 1;
  while (row.size > 2 * kTaskElements && row.size % 2 == 0) {
    row.size /= 2;
    pieces *= 2;
  }
  if (pieces == 1) return;
  Nest::Loop outer{pieces, row.step};
  for (int64_t& step : outer.step) step *= row.size;
  nest.loops.back() = outer;
  nest.loops.push_back(row);
}

}  // namespace

Nest MoveNest(const Dims& box, const Dims& from_steps, const Dims& to_steps) {
  Nest nest;
  for (size_t i = 0; i < box.size(); ++i) {
    nest.loops.push_back({box[i], {from_steps[i], to_steps[i]}});
  }
  return nest;
}

Status AddMoveStep(PrepareContext& context, int64_t element_bytes, std::vector<MovePart> parts) {
  MoveState state;
  int64_t tasks = 0;
  for (MovePart& move : parts) {
    Simplify(move.nest);
    if (move.nest.loops.empty()) move.nest.loops.push_back({1, {1, 1}});
    SplitRow(move.nest);
    const auto& loops = move.nest.loops;
    if (std::ssize(loops) > kernels::kMaxMoveLoops) {
      return Unsupported(Text("its layout takes ", loops.size(), " nested loops"));
    }
    Part part{.box = {.element_bytes = element_bytes, .loops = static_cast<int>(loops.size())},
              .input = move.input,
              .output = move.output,
              .from = move.from,
              .to = move.to};
    for (size_t i = 0; i < loops.size(); ++i) {
      part.box.size[i] = loops[i].size;
      part.box.from[i] = loops[i].step[0];
      part.box.to[i] = loops[i].step[1];
    }
    part.rows = kernels::MoveRows(part.box);
    if (part.rows == 0) continue;
    part.rows_per_task = std::max<int64_t>(1, kTaskElements / loops.back().size);
    part.first_task = tasks;
    tasks += kernels::CeilDiv(part.rows, part.rows_per_task);
    part.end_task = tasks;
    state.parts.push_back(part);
  }
  AddStepIfAny(
      context,
      {.run = RunMove, .state = context.State(std::move(state)), .tasks = tasks, .kernel = "move"});
  return {};
}

}  // namespace pare::ops
