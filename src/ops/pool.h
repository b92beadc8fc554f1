// What the records of pooling share.
#pragma once

#include "ops/common.h"
#include "ops/window.h"

namespace pare::ops {

Status InferPool(InferContext& context);
Status InferGlobalPool(InferContext& context);
Cost CostOfPool(const NodeView& view);
Cost CostOfGlobalPool(const NodeView& view);

struct PoolGeometry {
  Layout layout;
  Image x, y;
  Window window;
};
// The window of a global pool is the whole input.
Result<PoolGeometry> ReadPool(const NodeView& view, bool global);
// As kernels::PoolShape or kernels::QPoolShape.
template <typename Shape>
Shape PoolImageShape(const PoolGeometry& pool) {
  auto shape = WindowShapeOf<Shape>(pool.x, pool.y, pool.window);
  shape.channels = pool.x.channels;
  return shape;
}

// Whether an average counts its padding, but not the taps that ceil_mode adds beyond it: integer
// kernels count all.
bool LeavesTapsOut(const graph::Attrs& attrs);

// Pooling of u8 with channels last. Max takes no attributes but the window's.
enum class BytePool : uint8_t { kMax, kAverage };
bool CanPoolBytes(const PoolGeometry& pool);
Status PrepareBytePool(PrepareContext& context, const PoolGeometry& pool, BytePool kind);

}  // namespace pare::ops
