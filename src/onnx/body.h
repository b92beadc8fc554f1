// Bodies of If, Loop and Scan: graphs inside attributes. pare keeps them as bytes; what it must
// know is which values of the graph around them they read.
#pragma once

#include <string_view>
#include <vector>

#include "onnx/messages.h"

namespace pare::onnx {

// Appends the names that the body reads but doesn't define, in the order of reading (a name may
// come more than once). Fails where its weights lie in other files: as bytes they could not follow
// an exported model.
Status CollectFreeNames(Bytes graph, std::vector<std::string_view>& free);

}  // namespace pare::onnx
