// What a file is that is no ONNX model.
#pragma once

#include <optional>

#include "base/status.h"
#include "onnx/wire.h"

namespace pare::onnx {

// By the first bytes: a format of models, pictures or archives that people give in place of an
// ONNX file, and what to do with it. For files that could not be read: some begin like protobuf.
std::optional<Error> ForeignFormat(Bytes file);

}  // namespace pare::onnx
