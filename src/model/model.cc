#include "model/model.h"

#include <algorithm>

#include "onnx/batch.h"
#include "onnx/import.h"
#include "passes/bind.h"
#include "platform/file.h"

namespace pare::model {

Context Context::Make(int threads) {
  Context context{.cpu = DetectCpu(), .pool = nullptr};
  context.pool = std::make_shared<ThreadPool>(threads > 0 ? threads : context.cpu.threads());
  return context;
}

namespace {

// Rewrites may have left an output to a value of another name. Layers are told apart by their
// values' names, and a file that is written names this one as the output.
void NameOutputs(graph::Graph& graph) {
  for (const graph::Output& output : graph.outputs()) {
    if (graph.value(output.value).producer != graph::NodeId::kNone &&
        graph.FindValue(output.name) == graph::ValueId::kNone)
      graph.Rename(output.value, output.name);
  }
}

int64_t CountNorms(const graph::Graph& graph) {
  return std::ranges::count_if(
      graph.Order(), [&](graph::NodeId id) { return graph.node(id).op == "BatchNormalization"; });
}

}  // namespace

Result<Model> Model::Load(const std::string& path, const passes::PassOptions& simplify) {
  Model model;
  model.path_ = path;
  PARE_ASSIGN(model.graph_, onnx::Import(path, &model.data_files_));
  std::vector<std::string> files = model.data_files_;
  files.push_back(path);
  for (const std::string& name : files) {
    PARE_ASSIGN(const auto file, MappedFile::Open(name));
    model.file_bytes_ += static_cast<int64_t>(file->bytes().size());
  }
  const auto failed = [&](const Error& error) { return Fail(error.at(path)); };
  if (Status status = model.preprocess_.ReadFrom(model.graph_.metadata); !status)
    return failed(status.error());
  // As the file has it, shapes are still computed; folding then makes constants of what else is
  // fixed.
  const int64_t norms = CountNorms(model.graph_);
  const bool freed = onnx::FreeBatch(model.graph_).freed;
  if (Status status = passes::Simplify(model.graph_, nullptr, simplify); !status)
    return failed(status.error());
  if (!freed) model.batch_note_ = onnx::FreeBatch(model.graph_).reason;
  model.folded_norms_ = norms - CountNorms(model.graph_);
  NameOutputs(model.graph_);
  return model;
}

Result<std::unique_ptr<runtime::Session>> MakeSession(const graph::Graph& simplified,
                                                      const Context& context,
                                                      const passes::PassOptions& options) {
  const auto optimize = [options, saturating = context.saturating](graph::Graph& graph) -> Status {
    PARE_TRY(passes::Optimize(graph, nullptr, options));
    if (!saturating) return {};
    return passes::RunPasses(graph, passes::SaturatePasses(), nullptr, options);
  };
  graph::Graph optimized = simplified;
  PARE_TRY(optimize(optimized));
  const auto specialize = [optimize](const graph::Graph& graph,
                                     std::span<const Dims> shapes) -> Result<graph::Graph> {
    PARE_ASSIGN(graph::Graph bound, passes::BindShapes(graph, shapes));
    PARE_TRY(optimize(bound));
    return bound;
  };
  return std::make_unique<runtime::Session>(std::move(optimized), context.cpu, context.pool,
                                            specialize,
                                            runtime::SessionOptions{.packs = context.packs});
}

std::vector<data::InputSpec> InputSpecs(const graph::Graph& graph) {
  std::vector<data::InputSpec> specs;
  for (graph::ValueId id : graph.inputs()) {
    const graph::Value& value = graph.value(id);
    data::InputSpec spec{.name = value.name, .dtype = value.type.dtype, .shape = {}};
    for (const graph::Dim dim : value.type.shape.value_or(graph::Shape())) {
      spec.shape.push_back(dim.known() ? dim.size() : -1);
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

Result<std::vector<Dims>> ShapesForBatch(const graph::Graph& graph, int64_t batch) {
  std::vector<Dims> shapes;
  for (graph::ValueId id : graph.inputs()) {
    const graph::Value& value = graph.value(id);
    if (!value.type.shape) {
      return Unsupported(Text("the input \"", value.name, "\" has no shape in the file"),
                         "give --input a real array");
    }
    Dims dims;
    for (size_t axis = 0; axis < value.type.shape->size(); ++axis) {
      const graph::Dim dim = (*value.type.shape)[axis];
      if (!dim.known() && axis > 0) {
        return Fail(
            ErrorKind::kUsage,
            Text("dimension ", axis, " of the input \"", value.name, "\" (",
                 graph::TypeText(value.type, graph.symbols()), ") is free: its size must be given"),
            Text("e.g. --shape ", value.name, "=1x128"));
      }
      dims.push_back(dim.known() ? dim.size() : batch);
    }
    shapes.push_back(std::move(dims));
  }
  return shapes;
}

}  // namespace pare::model
