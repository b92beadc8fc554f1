// ONNX bytes → Graph. Protobuf stops here.
//
// What the graph holds afterwards: every operator in its form of opset 21 whatever the file's
// version (versions.h); Constant nodes and initializers as constants, also those that the file
// lists as inputs; calls of the model's own functions replaced by their nodes; types as far as the
// file gives them (ops::InferTypes finds the rest); If, Loop and Scan with their bodies as bytes
// and what these read as explicit inputs (graph::kCaptures).
//
// Bytes are not trusted: every failure is a Status of the form "model.onnx: node /a/b (Conv):
// reason", and memory stays in proportion to the bytes that are there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "onnx/external.h"

namespace pare::onnx {

// The newest version of ai.onnx whose operators this importer knows.
inline constexpr int64_t kNewestOpset = 24;

// Maps the file; the graph's constants are views of it where they lie aligned. `data_files`
// receives the files beside it that hold weights.
Result<graph::Graph> Import(const std::string& path,
                            std::vector<std::string>* data_files = nullptr);

// `owner` keeps `model` alive; null: constants are copied.
Result<graph::Graph> ImportBytes(Bytes model, std::shared_ptr<const void> owner,
                                 ExternalFiles& files);

}  // namespace pare::onnx
