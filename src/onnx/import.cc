#include "onnx/import.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "onnx/attribute.h"
#include "onnx/body.h"
#include "onnx/foreign_format.h"
#include "onnx/functions.h"
#include "onnx/messages.h"
#include "onnx/tensor_proto.h"
#include "onnx/versions.h"
#include "ops/node_view.h"
#include "ops/op_def.h"
#include "platform/file.h"

namespace pare::onnx {
namespace {

using graph::Graph;
using graph::NodeId;
using graph::TensorType;
using graph::ValueId;
using graph::ValueKind;

constexpr int64_t kMostElements = int64_t{1} << 48;

Result<TensorType> ToTensorType(const TypeMessage& message, Graph& graph) {
  TensorType type{.dtype = message.dtype, .shape = {}};
  if (!message.dims) return type;
  Dims known;
  type.shape.emplace();
  for (const TypeMessage::DimMessage& dim : *message.dims) {
    if (dim.size >= 0) {
      known.push_back(dim.size);
      type.shape->push_back(dim.size);
    } else if (!dim.symbol.empty()) {
      type.shape->push_back(graph::Dim::Symbol(graph.AddSymbol(std::string(dim.symbol))));
    } else {
      type.shape->push_back(graph::Dim::Unknown());
    }
  }
  const Result<int64_t> count = CountOf(known);
  if (!count || *count > kMostElements) {
    return Invalid(Text("its shape ", DimsText(known), " is larger than any machine's memory"),
                   "the file is damaged; `onnx.checker` may tell where");
  }
  return type;
}

Result<std::string> OpName(const SourceNode& node) {
  if (node.op_type.empty()) return Invalid("it doesn't say which operator it is");
  if (node.op_type.find('.') != node.op_type.npos) {
    return Unsupported("the name of its operator has a dot");
  }
  if (node.domain == "pare" || node.domain.starts_with("pare.")) {
    return Unsupported("the domain \"pare\" is reserved for operators inside of pare",
                       "rename the domain of these operators in the exporter");
  }
  if (node.domain.empty()) return std::string(node.op_type);
  return Text(node.domain, '.', node.op_type);
}

graph::Notes NotesOf(std::string_view doc, const Entries& metadata) {
  graph::Notes notes{.doc = std::string(doc), .metadata = {}, .attributes = {}};
  for (const auto& [key, value] : metadata) notes.metadata[std::string(key)] = value;
  return notes;
}

// A file may leave out the name of any result that nobody reads. Records compute what isn't
// optional all the same.
void NameRequiredOutputs(Graph& graph) {
  for (size_t n = 0; n < graph.node_count(); ++n) {
    const auto id = static_cast<NodeId>(n);
    const ops::OpDef* op = graph.node(id).live ? ops::FindOp(graph.node(id).op) : nullptr;
    if (!op) continue;
    for (int i = 0; i < ops::kMaxSlots && !op->outputs[i].name.empty(); ++i) {
      const std::vector<ValueId>& outputs = graph.node(id).outputs;
      const bool there = i < std::ssize(outputs) && outputs[i] != ValueId::kNone;
      if (there || op->outputs[i].presence != ops::Presence::kRequired) continue;
      graph.AddNodeOutput(id, i, graph.FreshName(Text(op->name, '_', n, '_', op->outputs[i].name)));
    }
  }
}

// BatchNormalization by the statistics of the batch, Dropout that drops: no sample's result would
// be its own.
bool IsInTrainingMode(const Graph& graph, const graph::Node& node) {
  if (node.op == "BatchNormalization") return node.attrs.i("training_mode", 0) != 0;
  if (node.op != "Dropout" || !node.has_input(2)) return false;
  const Tensor& mode = graph.value(node.inputs[2]).data;
  return mode && mode.dtype() == DType::kBool && mode.count() == 1 && mode.as<bool>()[0];
}

Status CheckModes(const Graph& graph) {
  for (size_t n = 0; n < graph.node_count(); ++n) {
    const graph::Node& node = graph.node(static_cast<NodeId>(n));
    if (!node.live || !IsInTrainingMode(graph, node)) continue;
    const Error error(
        ErrorKind::kUnsupported,
        "it is in training mode: its results depend on chance, or on the other samples of a batch",
        "export the model in evaluation mode (PyTorch: model.eval(), and in torch.onnx.export no "
        "training=TrainingMode.TRAINING); `pare train` trains what is exported so");
    return Fail(error.at(ops::NodePath(graph, node)));
  }
  return {};
}

class Importer {
 public:
  Importer(Bytes bytes, std::shared_ptr<const void> owner, ExternalFiles& files)
      : bytes_(bytes), source_{.owner = std::move(owner), .files = &files} {}

  Result<Graph> Run();

 private:
  Status ReadHeader(const ModelMessage& model);
  Status AddConstants(const GraphMessage& message);
  Status AddInputs(const GraphMessage& message);
  Status AddNodes();
  void AddAnnotations(const GraphMessage& message);
  Status AddNode(const SourceNode& source);
  Result<bool> AddConstantNode(const SourceNode& source, const graph::Attrs& attrs);
  Status Connect(const SourceNode& source, NodeId node);
  Status AddCaptures(const SourceNode& source, NodeId node);
  Status AddOutputs(const GraphMessage& message);
  Status SetTypes(const std::vector<ValueInfoMessage>& infos);
  Status CheckOrder();
  Status Define(std::string_view name, ValueId value);
  // A value that only a node of ONNX could hold, as that node.
  Status AddForeignConstant(std::string_view name, AttrType type, Bytes message);

  Bytes bytes_;
  TensorSource source_;
  Graph graph_;
  int64_t opset_ = 0;  // of ai.onnx; 0 where the model doesn't name one
  std::vector<SourceNode> sources_;
  std::vector<NodeId> nodes_;      // of each source; kNone where it became a constant
  std::vector<int64_t> versions_;  // of ai.onnx, by node id
  std::unordered_map<std::string_view, ValueId> scope_;
};

Result<Graph> Importer::Run() {
  if (TextOf(bytes_).starts_with("version https://git-lfs")) {
    return Invalid("this is a pointer of Git LFS, not the model itself",
                   "`git lfs pull` in its repository fetches the model");
  }
  PARE_ASSIGN(const ModelMessage model, ReadModel(bytes_));
  if (!model.graph) {
    return Invalid("this is not an ONNX model: it holds no graph",
                   "pare reads .onnx files; other formats have exporters to ONNX");
  }
  PARE_TRY(ReadHeader(model));
  PARE_ASSIGN(const GraphMessage message, ReadGraph(*model.graph));
  graph_.name = message.name;
  graph_.notes = NotesOf(message.doc, message.metadata);
  PARE_ASSIGN(Expander expander, Expander::Make(model, opset_, bytes_.size()));
  PARE_ASSIGN(sources_, expander.Expand(message.nodes));
  PARE_TRY(AddInputs(message));
  PARE_TRY(AddConstants(message));
  PARE_TRY(AddNodes());
  PARE_TRY(AddOutputs(message));
  PARE_TRY(SetTypes(message.value_infos));
  PARE_TRY(SetTypes(message.outputs));
  AddAnnotations(message);
  PARE_TRY(CheckOrder());
  PARE_TRY(Upgrade(graph_, versions_));
  PARE_TRY(CheckModes(graph_));
  NameRequiredOutputs(graph_);
  return std::move(graph_);
}

Status Importer::ReadHeader(const ModelMessage& model) {
  graph_.ir_version = model.ir_version;
  graph_.producer = model.producer_name;
  graph_.producer_version = model.producer_version;
  graph_.domain = model.domain;
  graph_.model_version = model.model_version;
  graph_.model_doc = model.doc;
  graph_.metadata = NotesOf({}, model.metadata).metadata;
  for (const OpsetMessage& opset : model.opsets) {
    graph_.opsets[std::string(opset.domain)] = opset.version;
  }
  if (model.opsets.empty()) {
    constexpr int64_t kFirstIrWithOpsets = 3;
    if (model.ir_version >= kFirstIrWithOpsets) {
      return Invalid("it doesn't say which opset its operators are of",
                     "the file is damaged, or made by a faulty exporter");
    }
    graph_.opsets[""] = 1;
  }
  const auto standard = graph_.opsets.find("");
  if (standard == graph_.opsets.end()) return {};  // of other domains alone
  opset_ = standard->second;
  if (opset_ < 1 || opset_ > kNewestOpset) {
    return Unsupported(Text("it needs opset ", opset_, "; pare knows 1 to ", kNewestOpset),
                       "export it for an opset that pare knows");
  }
  return {};
}

Status Importer::Define(std::string_view name, ValueId value) {
  if (scope_.emplace(name, value).second) return {};
  return Invalid(Text("the value ", Printable(name), " is given twice"),
                 "each name may come from one node, input or initializer only");
}

Status Importer::AddInputs(const GraphMessage& message) {
  std::unordered_set<std::string_view> initialized;
  for (Bytes bytes : message.initializers) {
    PARE_ASSIGN(const std::string_view name, TensorName(bytes));
    initialized.insert(name);
  }
  for (const ValueInfoMessage& info : message.inputs) {
    if (initialized.contains(info.name)) continue;
    const auto in_context = [&](const Error& error) {
      return Fail(error.at(Text("input ", Printable(info.name))));
    };
    if (info.name.empty()) return Invalid("an input of the graph has no name");
    const Result<TypeMessage> type = ReadType(info.type);
    if (!type) return in_context(type.error());
    Result<TensorType> tensor_type = ToTensorType(*type, graph_);
    if (!tensor_type) return in_context(tensor_type.error());
    const ValueId id = graph_.AddInput(std::string(info.name), std::move(*tensor_type));
    if (type->foreign) graph_.SetForeignType(id, std::string(TextOf(info.type)));
    graph_.SetNotes(id, NotesOf(info.doc, info.metadata));
    PARE_TRY(Define(info.name, id));
  }
  return {};
}

Status Importer::AddConstants(const GraphMessage& message) {
  std::unordered_map<std::string_view, const ValueInfoMessage*> inputs;
  for (const ValueInfoMessage& info : message.inputs) inputs.emplace(info.name, &info);
  for (Bytes bytes : message.initializers) {
    PARE_ASSIGN(NamedTensor named, ReadNamedTensor(bytes, source_));
    if (named.name.empty()) continue;  // nothing can read it
    if (named.foreign) {
      PARE_TRY(AddForeignConstant(named.name, AttrType::kTensor, bytes));
      continue;
    }
    const ValueId id = graph_.AddConstant(std::string(named.name), std::move(named.tensor));
    PARE_TRY(Define(named.name, id));
    graph_.SetTensorDoc(id, std::string(named.doc));
    if (const auto info = inputs.find(named.name); info != inputs.end()) {
      if (graph_.ir_version >= kFirstFreeInitializers) graph_.SetOverridable(id);
      graph_.SetNotes(id, NotesOf(info->second->doc, info->second->metadata));
    }
  }
  for (Bytes bytes : message.sparse_initializers) {
    std::string_view name;  // a sparse tensor is called as the tensor of its values
    WireReader in(bytes);
    while (in.Next()) {
      if (in.tag() != BytesTag(1)) continue;
      PARE_ASSIGN(name, TensorName(in.bytes()));
    }
    if (!in.ok()) return Malformed("SparseTensorProto");
    if (!name.empty()) PARE_TRY(AddForeignConstant(name, AttrType::kSparseTensor, bytes));
  }
  return {};
}

Status Importer::AddForeignConstant(std::string_view name, AttrType type, Bytes message) {
  const char* attribute = type == AttrType::kTensor ? "value" : "sparse_value";
  const NodeId node = graph_.AddNode("Constant", {}, {std::string(name)},
                                     {{attribute, WrapMessage(attribute, type, message)}});
  versions_.resize(graph_.node_count(), opset_);
  return Define(name, graph_.node(node).outputs[0]);
}

Status Importer::AddNodes() {
  // First all outputs, then all inputs: a file may list its nodes in any order.
  for (const SourceNode& source : sources_) {
    const Status status = AddNode(source);
    if (!status) return Fail(status.error().at(source.path()));
  }
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (nodes_[i] == NodeId::kNone) continue;
    const Status status = Connect(sources_[i], nodes_[i]);
    if (!status) return Fail(status.error().at(sources_[i].path()));
  }
  return {};
}

Result<bool> Importer::AddConstantNode(const SourceNode& source, const graph::Attrs& attrs) {
  if (source.op_type != "Constant" || !source.domain.empty()) return false;
  if (source.outputs.size() != 1 || attrs.begin() == attrs.end()) {
    return Invalid("a Constant has one output and one value");
  }
  const auto& [name, value] = *attrs.begin();
  Tensor tensor;
  if (const auto* given = std::get_if<Tensor>(&value); given && name == "value") tensor = *given;
  if (const auto* f = std::get_if<float>(&value)) tensor = Tensor::Scalar(*f);
  if (const auto* i = std::get_if<int64_t>(&value)) tensor = Tensor::Scalar(*i);
  if (const auto* floats = std::get_if<graph::Floats>(&value)) {
    tensor = Tensor::Of<float>({static_cast<int64_t>(floats->size())}, *floats);
  }
  if (const auto* ints = std::get_if<graph::Ints>(&value)) {
    tensor = Tensor::Of<int64_t>({static_cast<int64_t>(ints->size())}, *ints);
  }
  if (!tensor) return false;  // sparse or strings: stays a node
  const std::string_view output = source.outputs.front();
  if (output.empty()) return true;
  PARE_TRY(Define(output, graph_.AddConstant(std::string(output), std::move(tensor))));
  return true;
}

Status Importer::AddNode(const SourceNode& source) {
  PARE_ASSIGN(std::string op, OpName(source));
  if (source.domain.empty() && (source.opset < 1 || source.opset > kNewestOpset)) {
    return Invalid(Text("its operator is of ai.onnx in opset ", source.opset,
                        ", which the model doesn't name or pare doesn't know"),
                   "the file is damaged, or made by a faulty exporter");
  }
  graph::Attrs attrs;
  graph::Notes notes = NotesOf(source.doc, source.metadata);
  for (const SourceNode::Attribute& item : source.attributes) {
    PARE_ASSIGN(const AttributeMessage attribute, ReadAttribute(item.bytes));
    Result<graph::AttrValue> value = ToAttrValue(attribute, source_);
    if (!value) return Fail(value.error().at(Text("attribute ", Printable(item.name))));
    if (source.domain.empty()) {
      const Status typed = CheckAttributeType(item.name, *value);
      if (!typed) return Fail(typed.error().at(Text("attribute ", Printable(item.name))));
    }
    if (attrs.has(item.name) || item.name.starts_with("pare.")) {
      return Invalid(Text("its attribute ", Printable(item.name),
                          attrs.has(item.name) ? " is given twice" : " has a reserved name"));
    }
    attrs.set(item.name, std::move(*value));
    if (!attribute.doc.empty()) notes.attributes[std::string(item.name)] = attribute.doc;
  }
  PARE_ASSIGN(const bool constant, AddConstantNode(source, attrs));
  nodes_.push_back(NodeId::kNone);
  if (constant) return {};

  const Names& outputs = source.outputs;
  std::vector<std::string> output_names;
  for (std::string_view name : outputs) {
    // An absent output gets a name that is nobody's until it is removed below.
    output_names.push_back(name.empty() ? std::string("\0absent", 7) : std::string(name));
  }
  const NodeId node = graph_.AddNode(std::move(op), {}, std::move(output_names), std::move(attrs),
                                     std::string(source.name));
  graph_.mutable_node(node).notes = std::move(notes);
  nodes_.back() = node;
  versions_.resize(graph_.node_count(), source.opset);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].empty()) {
      graph_.RemoveOutput(node, static_cast<int>(i));
    } else {
      PARE_TRY(Define(outputs[i], graph_.node(node).outputs[i]));
    }
  }
  return {};
}

Status Importer::Connect(const SourceNode& source, NodeId node) {
  for (std::string_view name : source.inputs) {
    if (name.empty()) {
      graph_.AppendInput(node, ValueId::kNone);
      continue;
    }
    const auto at = scope_.find(name);
    if (at == scope_.end()) {
      return Invalid(
          Text("it reads ", Printable(name), ", which no node, input or initializer gives"),
          "the file is damaged or was cut out of a larger model");
    }
    graph_.AppendInput(node, at->second);
  }
  return AddCaptures(source, node);
}

Status Importer::AddCaptures(const SourceNode& source, NodeId node) {
  std::vector<std::string_view> free;
  for (const SourceNode::Attribute& item : source.attributes) {
    PARE_ASSIGN(const AttributeMessage attribute, ReadAttribute(item.bytes));
    for (Bytes body : attribute.graphs) PARE_TRY(CollectFreeNames(body, free));
  }
  graph::Strings names;
  std::unordered_set<std::string_view> seen;
  for (std::string_view name : free) {
    if (!seen.insert(name).second) continue;
    const auto at = scope_.find(name);
    if (at == scope_.end()) {
      return Invalid(
          Text("its body reads ", Printable(name), ", which no node, input or initializer gives"),
          "the file is damaged or was cut out of a larger model");
    }
    names.emplace_back(name);
    graph_.AppendInput(node, at->second);
  }
  if (!names.empty()) {
    graph_.mutable_node(node).attrs.set(graph::kCaptures, std::move(names));
  }
  return {};
}

Status Importer::AddOutputs(const GraphMessage& message) {
  if (message.outputs.empty())
    return Invalid("the graph has no outputs: there is nothing to compute");
  std::unordered_set<std::string_view> seen;
  for (const ValueInfoMessage& info : message.outputs) {
    const auto at = scope_.find(info.name);
    if (at == scope_.end()) {
      return Invalid(Text("the graph's output ", Printable(info.name),
                          " is given by no node, input or initializer"),
                     "the file is damaged or was cut out of a larger model");
    }
    if (!seen.insert(info.name).second) {
      return Invalid(Text("two outputs of the graph are called ", Printable(info.name)));
    }
    graph_.AddOutput(at->second, std::string(info.name), NotesOf(info.doc, info.metadata));
  }
  return {};
}

Status Importer::SetTypes(const std::vector<ValueInfoMessage>& infos) {
  for (const ValueInfoMessage& info : infos) {
    const auto at = scope_.find(info.name);
    if (at == scope_.end() || graph_.value(at->second).kind != ValueKind::kResult) continue;
    const auto in_context = [&](const Error& error) {
      return Fail(error.at(Text("type of ", Printable(info.name))));
    };
    const Result<TypeMessage> type = ReadType(info.type);
    if (!type) return in_context(type.error());
    Result<TensorType> tensor_type = ToTensorType(*type, graph_);
    if (!tensor_type) return in_context(tensor_type.error());
    graph_.SetType(at->second, std::move(*tensor_type));
    if (type->foreign) graph_.SetForeignType(at->second, std::string(TextOf(info.type)));
    graph_.SetNotes(at->second, NotesOf(info.doc, info.metadata));
  }
  return {};
}

void Importer::AddAnnotations(const GraphMessage& message) {
  for (const QuantAnnotationMessage& read : message.annotations) {
    graph::QuantAnnotation annotation{.value = std::string(read.tensor), .parameters = {}};
    for (const auto& [key, name] : read.parameters) {
      const auto at = scope_.find(name);
      annotation.parameters.push_back(
          {std::string(key), std::string(name),
           at == scope_.end() ? Tensor() : graph_.value(at->second).data});
    }
    graph_.annotations.push_back(std::move(annotation));
  }
}

Status Importer::CheckOrder() {
  if (graph_.node_count() == 0 || !graph_.Order().empty()) return {};
  // Take away what can run, until only cycles and what follows them is left.
  std::vector<size_t> missing(graph_.node_count(), 0);
  std::vector<NodeId> ready;
  for (size_t i = 0; i < graph_.node_count(); ++i) {
    const auto id = static_cast<NodeId>(i);
    for (ValueId input : graph_.node(id).inputs) missing[i] += graph_.producer_of(input) != nullptr;
    if (missing[i] == 0) ready.push_back(id);
  }
  while (!ready.empty()) {
    const NodeId id = ready.back();
    ready.pop_back();
    for (ValueId output : graph_.node(id).outputs) {
      if (output == ValueId::kNone) continue;
      for (const graph::Use& use : graph_.value(output).uses) {
        if (--missing[static_cast<size_t>(use.node)] == 0) ready.push_back(use.node);
      }
    }
  }
  const size_t stuck =
      std::find_if(missing.begin(), missing.end(), [](size_t n) { return n > 0; }) -
      missing.begin();
  const auto source = std::find(nodes_.begin(), nodes_.end(), static_cast<NodeId>(stuck));
  const Error error(ErrorKind::kInvalid, "it waits for a result of its own: the graph has a cycle",
                    "the file is damaged or was edited by hand");
  if (source == nodes_.end()) return Fail(error);
  return Fail(error.at(sources_[source - nodes_.begin()].path()));
}

// A model begins with bytes below the space; a text has only its line ends and tabs there.
bool LooksLikeText(Bytes bytes) {
  const auto head = bytes.first(std::min<size_t>(bytes.size(), 64));
  return !head.empty() && std::all_of(head.begin(), head.end(), [](std::byte byte) {
    const auto c = static_cast<unsigned char>(byte);
    return c >= 0x20 || c == '\t' || c == '\n' || c == '\r';
  });
}

}  // namespace

Result<Graph> ImportBytes(Bytes model, std::shared_ptr<const void> owner, ExternalFiles& files) {
  try {
    return Importer(model, std::move(owner), files).Run();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorKind::kMemory, "no memory to load it");
  }
}

Result<Graph> Import(const std::string& path, std::vector<std::string>* data_files) {
  PARE_ASSIGN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  const size_t slash = path.rfind('/');
  FolderFiles files(slash == path.npos ? "." : path.substr(0, slash + 1));
  if (LooksLikeText(file->bytes())) {
    return Fail(
        Error(ErrorKind::kInvalid, "is a text, and no ONNX file",
              "export the model anew, or fetch it from where the text leads (an error page, a "
              "pointer to a large file)")
            .at(path));
  }
  Result<Graph> graph = ImportBytes(file->bytes(), file, files);
  if (!graph && graph.error().kind() == ErrorKind::kInvalid)
    return Fail(ForeignFormat(file->bytes()).value_or(graph.error()).at(path));
  if (!graph) return Fail(graph.error().at(path));
  // Constants that don't lie aligned were copied, and views are read again when they are packed.
  file->Used(file->bytes().size());
  if (data_files) *data_files = files.paths();
  return graph;
}

}  // namespace pare::onnx
