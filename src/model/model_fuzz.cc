// Bytes → Graph → Simplify → Optimize → Plan → results: what a file asks for may be refused with an
// error on each step, and none may crash, hang or read what isn't its own. Models that need more
// than a small arena are prepared and not run.
#include <cstdio>
#include <cstdlib>

#include "graph/verify.h"
#include "model/model.h"
#include "onnx/batch.h"
#include "onnx/import.h"
#include "ops/op_def.h"
#include "ops/prepare.h"
#include "passes/bind.h"
#include "runtime/plan.h"

namespace {

using namespace pare;

constexpr int64_t kSmall = 1 << 16;  // elements of a value
constexpr int64_t kFewMacs = 1 << 22;

void Verified(const graph::Graph& graph) {
  if (const Status consistent = graph::Verify(graph); !consistent) {
    std::fprintf(stderr, "%s\n", consistent.error().message().c_str());
    std::abort();
  }
}

bool IsSmall(const graph::Graph& graph, graph::ValueId id) {
  if (id == graph::ValueId::kNone) return true;
  const graph::TensorType& type = graph.value(id).type;
  if (!type.is_static()) return false;
  const auto count = CountOf(type.dims());
  return count && *count <= kSmall;
}

// Whether all values are small and the work is little; it asks each record for its cost.
bool IsQuick(const graph::Graph& graph) {
  int64_t macs = 0;
  for (graph::NodeId id : graph.Order()) {
    const graph::Node& node = graph.node(id);
    for (const auto* list : {&node.inputs, &node.outputs}) {
      for (graph::ValueId value : *list) {
        if (!IsSmall(graph, value)) return false;
      }
    }
    const ops::OpDef* op = ops::FindOp(node.op);
    if (op && op->cost) macs += op->cost(ops::NodeView(graph, node)).macs;
    if (macs < 0 || macs > kFewMacs) return false;
  }
  return true;
}

Status UseModel(graph::Graph graph, const model::Context& context) {
  const bool freed = onnx::FreeBatch(graph).freed;
  PARE_TRY(passes::Simplify(graph));
  Verified(graph);
  if (!freed) onnx::FreeBatch(graph);
  PARE_ASSIGN(const auto shapes, model::ShapesForBatch(graph, 2));
  PARE_ASSIGN(const graph::Graph bound, passes::BindShapes(graph, shapes));
  graph::Graph optimized = bound;
  PARE_TRY(passes::Optimize(optimized));
  Verified(optimized);
  if (!IsQuick(bound) || !IsQuick(optimized)) return {};
  PARE_ASSIGN(auto session, model::MakeSession(graph, context));
  std::vector<Tensor> inputs, outputs(graph.outputs().size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    const DType dtype = graph.value(graph.inputs()[i]).type.dtype;
    PARE_ASSIGN(Tensor input, Tensor::Zeros(dtype, shapes[i]));
    inputs.push_back(std::move(input));
  }
  return session->Run(inputs, outputs);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const model::Context context = model::Context::Make(1);
  onnx::NoExternalFiles none;
  auto graph = onnx::ImportBytes(std::as_bytes(std::span(data, size)), nullptr, none);
  if (!graph) return 0;
  for (graph::ValueId id : graph->inputs()) {
    if (graph->value(id).type.dtype == DType::kNone) return 0;
  }
  if (const Status used = UseModel(std::move(*graph), context);
      !used && used.error().kind() == ErrorKind::kInternal) {
    std::fprintf(stderr, "%s\n", used.error().message().c_str());
    std::abort();
  }
  return 0;
}
