// What the normalisations share: a step y = x · scale + shift by channel, with vectors known when
// the plan is made or computed by an earlier step.
#pragma once

#include "kernels/norm/norm.h"
#include "ops/common.h"
#include "ops/window.h"

namespace pare::ops {

// An input of rank ≥ 2 as images of pixels and channels.
struct ChannelView {
  int64_t images = 1, pixels = 1, channels = 1;
  bool channels_last = false;
};
ChannelView ViewChannels(const Dims& shape, Layout layout);

// Inputs and outputs f32, or an error.
Status RequireF32(const PrepareContext& context);

// Appends the step. `scale_temp` holds scale, `shift_temp` shift: [channels], or [images, channels]
// with per_image.
void AddAffineStep(PrepareContext& context, const ChannelView& view, int scale_temp, int shift_temp,
                   bool per_image);
// The same with constant vectors.
void AddAffineStep(PrepareContext& context, const ChannelView& view, std::vector<float> scale,
                   std::vector<float> shift);

}  // namespace pare::ops
