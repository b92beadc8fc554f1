// Graph → standard ONNX, as onnx.checker and ONNX Runtime accept it.
//
// What came from a file and was not touched is written as it was: names, attributes, edges, order
// of the nodes, doc strings, metadata, and operators in the form of the source's opset. Where a
// node has no form in that opset, the lowest newer one that has every node is written. Constants
// become initializers. The same graph gives the same bytes.
#pragma once

#include <memory>
#include <string>

#include "graph/graph.h"
#include "platform/file.h"

namespace pare::onnx {

struct ExportOptions {
  // Protobuf ends at 2 GiB: a model that would be larger has its weights beside it, in
  // "<path>.<hash of the weights>.data".
  size_t inline_limit = size_t{2'000'000'000};
};

// A model that can be read and checked before it takes its place; without Commit it is gone, with
// the weights that were written beside it.
class Draft {
 public:
  // `weights`: a file, "" for none.
  Draft(AtomicFile file, std::string weights);
  const std::string& path() const { return file_.current_path(); }
  Status Commit();

 private:
  struct RemoveFile {
    void operator()(const std::string* path) const noexcept;
  };

  AtomicFile file_;
  std::unique_ptr<const std::string, RemoveFile> weights_;
};
Result<Draft> ExportDraft(const graph::Graph& graph, const std::string& path,
                          const ExportOptions& options = {});

// Replaces `path` only when all is written. Fails for operators inside of pare ("pare.QConv").
Status Export(const graph::Graph& graph, const std::string& path,
              const ExportOptions& options = {});

// The same in memory; always with the weights inside.
Result<std::string> ExportBytes(const graph::Graph& graph);

}  // namespace pare::onnx
