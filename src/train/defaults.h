// What a run does where nothing else is asked for: by what the network is, and what is done with
// it.
#pragma once

#include <optional>
#include <string>

#include "graph/graph.h"
#include "train/augment.h"
#include "train/optimizer.h"

namespace pare::train {

// What was asked for.
struct Wishes {
  std::optional<OptimizerKind> optimizer;
  std::optional<double> rate, clip_norm;
};

struct Defaults {
  OptimizerKind optimizer = OptimizerKind::kSgd;
  double rate = 0;
  float clip_norm = 0;
  std::string note;  // what is not the usual, and why, for the user; "" where all is
};

// The wishes, and for what they leave open
// * AdamW where the network has attention or normalizes over the features of each position, which
//   plain descent trains badly (Zhang et al., "Why are Adaptive Methods Good for Attention
//   Models?", 2020); else SGD;
// * the optimizer's usual rate, or a tenth where weights that are good already are `fine_tuned`;
// * a gradient of length 1 at most where nothing normalizes the network's convolutions: their
//   BatchNormalization was folded into them.
Defaults DefaultsFor(const graph::Graph& model, const Wishes& wishes, bool fine_tuned);

// Whether BatchNormalization holds the sizes of what the layers give, however their weights move.
bool IsBatchNormalized(const graph::Graph& model);

// Augmentation moves pictures, and leaves targets where they are. Fails (kUsage) where the model
// tells something of each position; a note for the user, or "" where nothing is moved.
Result<std::string> CheckMoved(const AugmentOptions& augment, const graph::Graph& model);

// `count` units, as far as an int64_t goes: limits that people give.
int64_t UnitsOf(int64_t count, int64_t unit);
inline constexpr int64_t kMegabyte = 1'000'000, kMebibyte = int64_t{1} << 20;

}  // namespace pare::train
