#include "data/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/random.h"

namespace pare::data {
namespace {

// Shuffled, and then class by class where there are labels: evenly along this order means a fair
// share of each class.
std::vector<int64_t> Arranged(const Dataset& dataset, std::vector<int64_t> indices,
                              Random& random) {
  random.Shuffle(indices);
  if (!dataset.has_labels()) return indices;
  std::vector<std::pair<int64_t, int64_t>> by_class;  // label, place in the shuffle
  by_class.reserve(indices.size());
  for (const int64_t index : indices) {
    by_class.emplace_back(dataset.label(index), static_cast<int64_t>(by_class.size()));
  }
  std::sort(by_class.begin(), by_class.end());
  std::vector<int64_t> arranged;
  arranged.reserve(indices.size());
  for (const auto& [label, place] : by_class) arranged.push_back(indices[place]);
  return arranged;
}

// Splits `arranged` into `count` equal stretches and takes one of each; the others stay in
// `arranged`.
std::vector<int64_t> TakeEvenly(std::vector<int64_t>& arranged, int64_t count, Random& random) {
  const auto size = static_cast<int64_t>(arranged.size());
  count = std::min(count, size);
  std::vector<int64_t> taken, rest;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = size * i / count, end = size * (i + 1) / count;
    const int64_t chosen = begin + random.Below(end - begin);
    for (int64_t k = begin; k < end; ++k) (k == chosen ? taken : rest).push_back(arranged[k]);
  }
  if (count > 0) arranged = std::move(rest);
  std::sort(taken.begin(), taken.end());
  return taken;
}

std::vector<int64_t> AllIndices(const Dataset& dataset) {
  std::vector<int64_t> indices(dataset.size());
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return indices;
}

// What too few samples lead to.
std::string NoteOf(const Split& split, int64_t size, const SplitOptions& options) {
  if (size == 1 && options.verification > 0) {
    return "there is only one sample: it calibrates and verifies, so the verification shows "
           "little more than that the model runs";
  }
  std::string note;
  const auto calibrating = static_cast<int64_t>(split.calibration.size());
  const auto verifying = static_cast<int64_t>(split.verification.size());
  if (calibrating < options.calibration) {
    note = Text("only ", size, " samples: ", calibrating, " calibrate (", options.calibration,
                " were asked for) and ", verifying, " verify");
    if (calibrating < 32) note += "; ranges from so few may miss what real input brings";
  }
  if (verifying < std::min<int64_t>(options.verification, 100)) {
    note +=
        Text(note.empty() ? "" : "; ", "with ", verifying, verifying == 1 ? " sample" : " samples",
             " to verify, each makes ", std::round(1000.0 / static_cast<double>(verifying)) / 10,
             " % of what is reported");
  }
  return note;
}

}  // namespace

Result<Split> SplitDataset(const Dataset& dataset, const SplitOptions& options) {
  if (options.calibration < 1 || options.verification < 0) {
    return Fail(ErrorKind::kUsage,
                Text("can't draw ", options.calibration, " samples to calibrate and ",
                     options.verification, " to verify"),
                "calibration needs at least one sample");
  }
  Random random(options.seed);
  std::vector<int64_t> pool =
      Arranged(dataset, DrawSamples(dataset, options.limit, options.seed), random);
  const auto size = static_cast<int64_t>(pool.size());
  if (size == 0) return Fail(ErrorKind::kInvalid, "there are no samples");
  // What the verification keeps where there is not enough for both.
  const int64_t kept = std::min({options.verification, size / 2, int64_t{100}});
  Split split;
  split.calibration = TakeEvenly(pool, std::min(options.calibration, size - kept), random);
  split.verification = TakeEvenly(pool, options.verification, random);
  if (size == 1 && options.verification > 0) split.verification = split.calibration;
  split.note = NoteOf(split, size, options);
  return split;
}

std::vector<int64_t> DrawSamples(const Dataset& dataset, int64_t count, uint64_t seed) {
  std::vector<int64_t> indices = AllIndices(dataset);
  if (count <= 0 || count >= dataset.size()) return indices;
  Random random(seed);
  indices = Arranged(dataset, std::move(indices), random);
  return TakeEvenly(indices, count, random);
}

}  // namespace pare::data
