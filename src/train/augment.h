// Augmentation of picture batches, after preprocessing.
#pragma once

#include "base/random.h"
#include "train/objective.h"

namespace pare::train {

struct AugmentOptions {
  bool flip = false;     // left and right exchanged, every other time
  int64_t crop_pad = 0;  // shifted by up to so many pixels; what comes in is black
  float mixup = 0;       // the α of Beta(α, α) (Zhang et al., "mixup", 2018); 0: none

  bool any() const { return flip || crop_pad > 0 || mixup > 0; }
};

// Fails (kUsage) where the model's first input can't be a batch of pictures, which Augment would
// say only behind all that a run does before its first step; or where others belong to what it
// changes: of pictures that move, further ones ([N,…] of four dimensions), and all of what is
// mixed.
Status CheckAugmentation(const graph::Graph& model, const AugmentOptions& options);

// Changes the batch's first input, f32 [rows, channels, height, width] (or channels last: the last
// dimension is 1, 3 or 4 and the second is not), in place; `preprocess` tells what black became.
// Fails for inputs of another form.
Status Augment(TrainBatch& batch, const AugmentOptions& options, const data::Preprocess& preprocess,
               Random& random);

}  // namespace pare::train
