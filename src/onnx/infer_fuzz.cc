// What follows import with bytes from outside: types are inferred, and a batch of 1 is freed.
// Neither may crash, and the graph stays consistent.
#include <cstdio>
#include <cstdlib>

#include "graph/verify.h"
#include "onnx/batch.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "ops/node_view.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pare;
  onnx::NoExternalFiles none;
  auto graph = onnx::ImportBytes(std::as_bytes(std::span(data, size)), nullptr, none);
  if (!graph) return 0;
  onnx::FreeBatch(*graph);
  if (const Status consistent = graph::Verify(*graph); !consistent) {
    std::fprintf(stderr, "%s\n", consistent.error().message().c_str());
    std::abort();
  }
  if (!ops::InferTypes(*graph)) return 0;
  // What is inferred may be too large to be read again; it must be possible to write it.
  (void)onnx::ExportBytes(*graph);
  return 0;
}
