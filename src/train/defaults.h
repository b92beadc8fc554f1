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
  bool tries_rates = false;  // it is the first to try (train/choose_rate.h)
  float clip_norm = 0;
  std::string note;  // what is not the usual, and why, for the user; "" where all is
};

// The wishes, and for what they leave open
// * SGD where normalisation over batches or pictures (batch, instance, group) holds the sizes of
//   what most layers give; else AdamW, whose steps don't depend on the sizes of gradients: plain
//   descent trains attention badly (Zhang et al., "Why are Adaptive Methods Good for Attention
//   Models?", 2020), and undoes what a network without normalisation knows;
// * a rate that trials choose, around the optimizer's usual one;
// * a gradient of length 1 at most where nothing normalizes the network's convolutions: their
//   BatchNormalization was folded into them.
Defaults DefaultsFor(const graph::Graph& model, const Wishes& wishes);

// Augmentation moves pictures, and leaves targets where they are. Fails (kUsage) where the model
// tells something of each position; a note for the user, or "" where nothing is moved.
Result<std::string> CheckMoved(const AugmentOptions& augment, const graph::Graph& model);

// `count` units, as far as an int64_t goes: limits that people give.
int64_t UnitsOf(int64_t count, int64_t unit);
inline constexpr int64_t kMegabyte = 1'000'000, kMebibyte = int64_t{1} << 20;

}  // namespace pare::train
