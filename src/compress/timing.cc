#include "compress/timing.h"

#include <algorithm>
#include <cmath>

#include "platform/clock.h"

namespace pare::compress {

Interval MedianOf(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const auto n = static_cast<double>(samples.size());
  const double spread = 0.98 * std::sqrt(n);  // 1.96 · √n / 2
  const auto at = [&](double rank) {
    return samples[static_cast<size_t>(std::clamp(rank, 0.0, n - 1))];
  };
  return {at(std::floor(n / 2)), at(std::floor(n / 2 - spread)), at(std::ceil(n / 2 + spread)),
          samples.front()};
}

namespace {

constexpr double kTaken = 0.2;  // processors; less is the system's own housekeeping
constexpr double kWide = 0.25;  // of the median

// The last layer times that a profile holds, merged over rounds by the profile itself.
Result<Timed> Measure(std::span<runtime::Session* const> sessions, InputsBySide all,
                      const TimingOptions& options, bool layers) {
  const auto inputs = [&](size_t side) { return all[all.size() > 1 ? side : 0]; };
  std::vector<std::vector<Tensor>> outputs;
  std::vector<std::vector<double>> ms(sessions.size());
  std::vector<runtime::Profile> profiles(layers ? sessions.size() : 0);
  const auto check = [&] { return options.progress ? options.progress->Check() : Status(); };
  for (size_t side = 0; side < sessions.size(); ++side) {
    outputs.emplace_back(sessions[side]->graph().outputs().size());
    for (int warm_up = 0; warm_up < 2; ++warm_up) {
      PARE_TRY(check());
      PARE_TRY(sessions[side]->Run(inputs(side), outputs.back()));
    }
  }
  std::vector<double> ratios;
  const Stopwatch budget;
  const ContentionWatch contention;
  for (int round = 0; round < options.max_rounds; ++round) {
    if (round >= options.min_rounds && budget.seconds() > options.seconds) break;
    PARE_TRY(check());
    for (size_t side = 0; side < sessions.size(); ++side) {
      const Stopwatch watch;
      PARE_TRY(sessions[side]->Run(inputs(side), outputs[side],
                                   {.profile = layers ? &profiles[side] : nullptr}));
      ms[side].push_back(watch.ms());
    }
    ratios.push_back(ms[0].back() / ms[sessions.size() > 1 ? 1 : 0].back());
  }
  Timed timed;
  timed.rounds = static_cast<int>(ratios.size());
  timed.contention = contention.Read();
  timed.speedup = MedianOf(ratios);
  for (size_t side = 0; side < sessions.size(); ++side) {
    timed.sides.push_back(
        {MedianOf(ms[side]), layers ? profiles[side].Layers() : std::vector<runtime::LayerTime>()});
  }
  return timed;
}

// "1.7", one digit behind the point.
std::string Tenths(double value) {
  const auto tenths = static_cast<int64_t>(std::lround(10 * value));
  return Text(tenths / 10, '.', tenths % 10);
}

}  // namespace

std::vector<std::string> TimingNotes(const Timed& timed, int threads, int cores) {
  std::vector<std::string> notes;
  const Contention others = timed.contention.value_or(Contention());
  const double taken = others.elsewhere + others.stolen;
  if (taken > kTaken + std::max(cores - threads, 0)) {
    notes.push_back(Text(
        "the machine was busy: other processes", others.stolen > kTaken ? " and machines" : "",
        " took ", Tenths(taken), " of ", cores, " processors while ", threads,
        threads == 1 ? " thread was" : " threads were",
        " timed; the times are too long: measure again when it is idle, or with fewer --threads"));
  }
  for (const SideTimes& side : timed.sides) {
    const Interval& ms = side.ms;
    if (ms.high - ms.low <= kWide * ms.median) continue;
    notes.push_back(Text(
        "the times vary a lot: the interval is ", std::lround(100 * (ms.high - ms.low) / ms.median),
        " % of the median; --seconds makes it narrower where the machine is idle"));
    break;
  }
  return notes;
}

Result<Timed> TimeInterleaved(std::span<runtime::Session* const> sessions, InputsBySide inputs,
                              const TimingOptions& options) {
  return Measure(sessions, inputs, options, false);
}

Result<Timed> ProfileInterleaved(std::span<runtime::Session* const> sessions, InputsBySide inputs,
                                 const TimingOptions& options) {
  return Measure(sessions, inputs, options, true);
}

}  // namespace pare::compress
