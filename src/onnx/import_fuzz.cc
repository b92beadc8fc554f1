// Bytes → Graph → bytes → Graph: nothing may crash, hang or take more memory than the bytes
// deserve, and what was written must be readable again.
#include <cstdio>
#include <cstdlib>

#include "graph/verify.h"
#include "onnx/export.h"
#include "onnx/import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace pare;
  onnx::NoExternalFiles none;
  const auto graph = onnx::ImportBytes(std::as_bytes(std::span(data, size)), nullptr, none);
  if (!graph) return 0;
  if (const Status consistent = graph::Verify(*graph); !consistent) {
    std::fprintf(stderr, "%s\n", consistent.error().message().c_str());
    std::abort();
  }
  const auto bytes = onnx::ExportBytes(*graph);
  if (!bytes) return 0;
  const auto again = onnx::ImportBytes(BytesOf(*bytes), nullptr, none);
  if (!again) {
    std::fprintf(stderr, "written, but not readable: %s\n", again.error().message().c_str());
    std::abort();
  }
  const auto same = onnx::ExportBytes(*again);
  if (!same || *same != *bytes) {
    std::fprintf(stderr, "written twice, and not the same\n");
    std::abort();
  }
  return 0;
}
