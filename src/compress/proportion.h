// How far to believe a share of right answers that was counted on some samples.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace pare::compress {

// What covers the true value with 95 % confidence; in percent, of a change in percentage points.
struct Bounds {
  double low = 0, high = 0;
};

// Of a share, `hits` of `count` > 0 samples: the score interval of Wilson, "Probable inference, the
// law of succession, and statistical inference", JASA 22 (1927). Unlike the normal interval it
// holds for few samples and for shares near 0 and 100 %, too.
Bounds ShareBounds(int64_t hits, int64_t count);

// So many right answers more say nothing of two models on the same samples, however many these are:
// even if none was lost and all were gained, chance alone does as much with 2^−4 > 5 % (sign test).
inline constexpr int64_t kNoGainInHits = 4;

// Fewer samples tell next to nothing of which of two models is the better.
inline constexpr int64_t kFewSamples = 100;

// Of the change of a share from one model to another on the same `count` > 0 samples, of which
// `lost` were right before alone and `gained` are right now alone; samples on which both do alike
// say nothing of the change (McNemar 1947), but that they are many. The adjusted Wald interval of
// Bonett and Price, "Adjusted Wald confidence interval for a difference of binomial proportions
// based on paired data", J. Educ. Behav. Stat. 37 (2012): one sample is added to each of the two
// counts.
Bounds ChangeBounds(int64_t lost, int64_t gained, int64_t count);
// The same of which samples were right; nothing where these are none, or not the same number.
std::optional<Bounds> ChangeBounds(const std::vector<bool>& before, const std::vector<bool>& after);

}  // namespace pare::compress
