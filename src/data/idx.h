// IDX, the format of MNIST: a big-endian header with type and shape, then the elements.
#pragma once

#include <memory>
#include <span>

#include "base/tensor.h"

namespace pare::data {

bool IsIdx(std::span<const std::byte> bytes);  // by its first bytes

// Shares bytes where they are single; wider elements are converted to this machine's order.
Result<Tensor> ParseIdx(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

}  // namespace pare::data
