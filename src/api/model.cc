#include "pare/model.h"

#include "api/access.h"
#include "onnx/export.h"
#include "platform/file.h"
#include "train/parameters.h"

namespace pare {
namespace {

ValueInfo InfoOf(const graph::Graph& graph, graph::ValueId id, const std::string& name) {
  const graph::TensorType& type = graph.value(id).type;
  ValueInfo info{name, type.dtype, {}};
  for (const graph::Dim dim : type.shape.value_or(graph::Shape())) {
    info.shape.push_back(dim.known() ? dim.size() : -1);
  }
  return info;
}

}  // namespace

Result<Model> Model::Load(const std::string& path) {
  return Guarded([&]() -> Result<Model> {
    PARE_ASSIGN(auto loaded, model::Model::Load(path, train::kTrainable));
    std::vector<std::string> files = loaded.data_files();
    files.push_back(path);
    return Access::Make(
        {std::move(files), loaded.graph(), loaded.preprocess(), loaded.file_bytes()});
  });
}

std::vector<ValueInfo> Model::inputs() const {
  std::vector<ValueInfo> infos;
  for (graph::ValueId id : impl_->graph.inputs()) {
    infos.push_back(InfoOf(impl_->graph, id, impl_->graph.value(id).name));
  }
  return infos;
}

std::vector<ValueInfo> Model::outputs() const {
  std::vector<ValueInfo> infos;
  for (const graph::Output& output : impl_->graph.outputs()) {
    infos.push_back(InfoOf(impl_->graph, output.value, output.name));
  }
  return infos;
}

const std::map<std::string, std::string>& Model::metadata() const { return impl_->graph.metadata; }

Status Model::Save(const std::string& path) const {
  return Guarded([&]() -> Status {
    for (const std::string& file : impl_->files) {
      if (!SameFile(path, file)) continue;
      return Fail(ErrorKind::kUsage, Text(file, " is a file that the model was loaded from"),
                  "save it under another name");
    }
    return onnx::Export(impl_->graph, path);
  });
}

}  // namespace pare
