// What follows import with bytes from outside: types are inferred, and a batch of 1 is freed.
// Neither may crash, and what comes of it must be a model again.
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
  const auto bytes = onnx::ExportBytes(*graph);
  if (!bytes) return 0;
  const auto again = onnx::ImportBytes(onnx::BytesOf(*bytes), nullptr, none);
  if (!again) {
    std::fprintf(stderr, "written, but not readable: %s\n", again.error().message().c_str());
    std::abort();
  }
  return 0;
}
