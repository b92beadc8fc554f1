// Time, measured so that it can be believed: sides by turns, medians with confidence intervals.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "passes/pipeline.h"
#include "platform/contention.h"
#include "runtime/session.h"

namespace pare::compress {

// Of a median: [low, high] covers the true one with 95 % confidence (by the binomial of order
// statistics).
struct Interval {
  double median = 0, low = 0, high = 0;
  double min = 0;
};
Interval MedianOf(std::vector<double> samples);

struct TimingOptions {
  double seconds = 1.5;  // for all sides together, warm-up not counted
  int min_rounds = 7;
  int max_rounds = 1000;
  const Progress* progress = nullptr;  // asked between rounds whether to stop; null: never
};

struct SideTimes {
  Interval ms;
  std::vector<runtime::LayerTime> layers;  // where asked for
};

struct Timed {
  std::vector<SideTimes> sides;
  // Of sides[0] to sides[1], round by round; 1 for a single side.
  Interval speedup;
  int rounds = 0;
  std::optional<Contention> contention;  // while the rounds ran
};

// What makes the times doubtful, as texts for people: processors that were taken away from the
// `threads` of `cores`, or an interval that is wide against its median.
std::vector<std::string> TimingNotes(const Timed& timed, int threads, int cores);

// Of each session, or one set for all.
using InputsBySide = std::span<const std::span<const Tensor>>;
// Runs the sessions by turns: A B A B …
Result<Timed> TimeInterleaved(std::span<runtime::Session* const> sessions, InputsBySide inputs,
                              const TimingOptions& options = {});
inline Result<Timed> TimeInterleaved(std::span<runtime::Session* const> sessions,
                                     std::span<const Tensor> inputs,
                                     const TimingOptions& options = {}) {
  return TimeInterleaved(sessions, InputsBySide(&inputs, 1), options);
}
// Of the passes, for sessions whose layers are to be timed: none of integers has a sum or a
// function computed inside it that a float one could, so that only thus the same is timed on either
// side.
inline const passes::PassOptions kLayersApart{.switches = "-fuse-residual,-fuse-activation"};
// Layer by layer, by turns as well.
Result<Timed> ProfileInterleaved(std::span<runtime::Session* const> sessions, InputsBySide inputs,
                                 const TimingOptions& options = {});
inline Result<Timed> ProfileInterleaved(std::span<runtime::Session* const> sessions,
                                        std::span<const Tensor> inputs,
                                        const TimingOptions& options = {}) {
  return ProfileInterleaved(sessions, InputsBySide(&inputs, 1), options);
}

}  // namespace pare::compress
