#include "onnx/export.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/hash.h"
#include "onnx/attribute.h"
#include "onnx/import.h"
#include "onnx/messages.h"
#include "onnx/tensor_proto.h"
#include "onnx/versions.h"
#include "ops/node_view.h"
#include "platform/file.h"

namespace pare::onnx {
namespace {

using graph::Graph;
using graph::Node;
using graph::NodeId;
using graph::ValueId;
using graph::ValueKind;

constexpr int64_t kDefaultIr = 8;
constexpr int64_t kDefaultOpset = 13;
constexpr size_t kSmallTensor = 1024;  // stays inside even where the weights are beside
constexpr int64_t kDataAlignment = 4096;

// The lowest IR version that has the opset.
int64_t IrOf(int64_t opset) {
  static constexpr std::pair<int64_t, int64_t> kIrs[] = {
      {24, 12}, {23, 11}, {21, 10}, {19, 9}, {15, 8}, {12, 7}, {11, 6}, {10, 5}, {9, 4}};
  for (const auto& [first, ir] : kIrs) {
    if (opset >= first) return ir;
  }
  return 3;
}

bool IsOpaque(const graph::AttrValue& value) {
  return std::holds_alternative<graph::OpaqueAttr>(value);
}

std::string_view DomainOf(std::string_view op) {
  const size_t dot = op.rfind('.');
  return dot == op.npos ? std::string_view() : op.substr(0, dot);
}

Status CheckNodes(const Graph& g, const std::vector<NodeId>& order) {
  for (NodeId id : order) {
    const Node& node = g.node(id);
    if (node.op.starts_with("pare.")) {
      return Fail(Error(ErrorKind::kUnsupported,
                        Text(node.op, " is an operator inside of pare; ONNX has no form of it"),
                        "export the graph as it was before pare optimized it")
                      .at(ops::NodePath(g, node)));
    }
  }
  return {};
}

// Bodies are kept as bytes, in the source's opset: they can't follow to a newer one.
Status CheckBodies(const Graph& g, const std::vector<NodeId>& order) {
  for (NodeId id : order) {
    const Node& node = g.node(id);
    if (!node.attrs.has(graph::kCaptures) &&
        (node.op == "Constant" || std::ranges::none_of(node.attrs, [](const auto& entry) {
           return IsOpaque(entry.second);
         }))) {
      continue;
    }
    return Fail(Error(ErrorKind::kUnsupported,
                      "its body is in the source's opset, but another node needs a newer one",
                      "convert the source model to a newer opset first")
                    .at(ops::NodePath(g, node)));
  }
  return {};
}

// The graph in the form of the version it shall be written in.
struct Versioned {
  Graph graph;
  int64_t opset = 0;  // 0: there is no node of the default domain
};

Result<Versioned> ChooseVersion(const Graph& g) {
  const std::vector<NodeId> order = g.Order();
  if (order.empty() && g.node_count() > 0) {
    const bool any = [&] {
      for (size_t i = 0; i < g.node_count(); ++i) {
        if (g.node(static_cast<NodeId>(i)).live) return true;
      }
      return false;
    }();
    if (any) return Invalid("the graph has a cycle");
  }
  PARE_TRY(CheckNodes(g, order));
  const auto source = g.opsets.find("");
  const bool has_default =
      std::ranges::any_of(order, [&](NodeId id) { return DomainOf(g.node(id).op).empty(); });
  if (!has_default) return Versioned{g, source == g.opsets.end() ? 0 : source->second};

  const int64_t from = source == g.opsets.end() ? kOldestExport : source->second;
  Status status;
  for (int64_t opset = std::max(from, kOldestExport); opset <= kNewestOpset; ++opset) {
    Versioned result{g, opset};
    status = Downgrade(result.graph, opset);
    if (!status) continue;
    if (opset != from) PARE_TRY(CheckBodies(g, order));
    return result;
  }
  if (status) return Unsupported(Text("opset ", from, " is newer than pare can write"));
  return Fail(status.error());
}

void WriteEntries(uint32_t field, const std::map<std::string, std::string>& entries,
                  WireWriter& out) {
  for (const auto& [key, value] : entries) {
    WireWriter entry;
    entry.Text(1, key);
    entry.Text(2, value);
    out.Message(field, std::move(entry));
  }
}

class Writer {
 public:
  Writer(const Graph& graph, int64_t opset) : g_(graph), opset_(opset) {}

  // `data`: where the tensors go that are not written inside; null: all are.
  struct DataFile {
    std::string location;
    std::vector<std::pair<Tensor, int64_t>> tensors;  // with their offsets
    int64_t size = 0;
  };
  Result<WireWriter> Write(DataFile* data);

 private:
  using Names = std::unordered_map<ValueId, std::string>;

  void ChooseNames();
  Status WriteNodes(WireWriter& out);
  Status WriteNode(NodeId id, WireWriter& out);
  Status WriteCaptureNames(const Node& node, WireWriter& out);
  void WriteIdentity(const std::string& from, const std::string& to, WireWriter& out);
  void WriteInitializers(DataFile* data, WireWriter& out);
  void WriteValueInfo(uint32_t field, ValueId id, const std::string& name,
                      const graph::Notes& notes, WireWriter& out) const;
  void WriteInitializer(ValueId id, const ExternalPlace* place, WireWriter& out) const;
  void WriteInputs(WireWriter& out) const;
  void WriteAnnotations(WireWriter& out);
  void WriteHeader(WireWriter& out) const;
  std::string FreshName(std::string_view stem);
  std::string NodeName(const std::string& name);
  std::vector<ValueId> Initializers() const;
  int64_t ir_version() const;
  const std::string& NameOf(ValueId id) const { return names_.at(id); }

  const Graph& g_;
  int64_t opset_;
  std::vector<NodeId> order_;
  Names names_;
  std::unordered_set<std::string> taken_;
  std::unordered_set<std::string> node_names_, written_node_names_;
  std::unordered_map<std::string, ValueId> restored_;            // names that bodies still need
  std::vector<std::pair<ValueId, std::string>> copied_outputs_;  // outputs that need an Identity
};

int64_t Writer::ir_version() const {
  const auto source = g_.opsets.find("");
  const bool raised = source == g_.opsets.end() || source->second != opset_;
  const int64_t ir = g_.ir_version > 0 ? g_.ir_version : kDefaultIr;
  return raised ? std::max(ir, IrOf(opset_)) : ir;
}

std::string Writer::FreshName(std::string_view stem) {
  std::string name(stem);
  for (size_t n = 1; name.empty() || !taken_.insert(name).second; ++n) name = Text(stem, '_', n);
  return name;
}

// Nodes that were made from one share its name, and ONNX Runtime refuses two of a name: the first
// has it.
std::string Writer::NodeName(const std::string& name) {
  if (written_node_names_.insert(name).second) return name;
  std::string other;
  size_t n = 0;
  do {
    other = Text(name, '_', ++n);
  } while (node_names_.contains(other) || !written_node_names_.insert(other).second);
  return other;
}

// Inputs and outputs keep their outer names whatever rewrites did to the values; other values keep
// theirs unless such a name is in the way.
void Writer::ChooseNames() {
  for (ValueId id : g_.inputs()) {
    names_[id] = g_.value(id).name;
    taken_.insert(names_[id]);
  }
  for (const graph::Output& output : g_.outputs()) {
    const auto at = names_.find(output.value);
    if (at != names_.end() && at->second == output.name) continue;  // an input passed through
    if (at != names_.end() || !taken_.insert(output.name).second) {
      copied_outputs_.emplace_back(output.value, output.name);
    } else {
      names_[output.value] = output.name;
    }
    taken_.insert(output.name);
  }
  const auto name = [&](ValueId id) {
    if (id != ValueId::kNone && !names_.contains(id)) names_[id] = FreshName(g_.value(id).name);
  };
  for (NodeId id : order_) {
    node_names_.insert(g_.node(id).name);
    for (ValueId input : g_.node(id).inputs) name(input);
    for (ValueId output : g_.node(id).outputs) name(output);
  }
}

std::vector<ValueId> Writer::Initializers() const {
  std::vector<ValueId> ids;
  for (const auto& [id, name] : names_) {
    if (g_.value(id).data) ids.push_back(id);
  }
  std::ranges::sort(ids);
  return ids;
}

WireWriter WriteType(const Graph& g, const graph::TensorType& type) {
  WireWriter tensor;
  tensor.Int(1, DTypeToOnnx(type.dtype));
  if (type.has_rank()) {
    WireWriter shape;
    for (graph::Dim dim : *type.shape) {
      WireWriter item;
      if (dim.known()) item.Int(1, dim.size());
      if (dim.is_symbol()) item.Text(2, g.symbols()[dim.symbol()]);
      shape.Message(1, std::move(item));
    }
    tensor.Message(2, std::move(shape));
  }
  WireWriter out;
  out.Message(1, std::move(tensor));
  return out;
}

void Writer::WriteValueInfo(uint32_t field, ValueId id, const std::string& name,
                            const graph::Notes& notes, WireWriter& out) const {
  const graph::Value& value = g_.value(id);
  WireWriter info;
  info.Text(1, name);
  if (value.type.dtype != DType::kNone) {
    info.Message(2, WriteType(g_, value.type));
  } else if (!value.foreign_type.empty()) {
    info.Text(2, value.foreign_type);
  }
  if (!notes.doc.empty()) info.Text(3, notes.doc);
  WriteEntries(4, notes.metadata, info);
  out.Message(field, std::move(info));
}

void Writer::WriteIdentity(const std::string& from, const std::string& to, WireWriter& out) {
  WireWriter node;
  node.Text(1, from);
  node.Text(2, to);
  node.Text(4, "Identity");
  out.Message(1, std::move(node));
}

// A body reads values by the names of the source: where one was renamed or replaced since, it gets
// its old name back through an Identity.
Status Writer::WriteCaptureNames(const Node& node, WireWriter& out) {
  const graph::Strings names = node.attrs.strings(graph::kCaptures);
  const size_t own = node.inputs.size() - std::min(names.size(), node.inputs.size());
  for (size_t i = 0; i < names.size() && own + i < node.inputs.size(); ++i) {
    const std::string& now = NameOf(node.inputs[own + i]);
    if (now == names[i]) continue;
    const auto [restored, first] = restored_.emplace(names[i], node.inputs[own + i]);
    if (!first && restored->second == node.inputs[own + i]) continue;
    if (!first || !taken_.insert(names[i]).second) {
      return Unsupported(Text("its body reads ", Printable(names[i]), ", which is ", now,
                              " by now, and the name is taken"));
    }
    WriteIdentity(now, names[i], out);
  }
  return {};
}

Status Writer::WriteNode(NodeId id, WireWriter& out) {
  const Node& source = g_.node(id);
  PARE_TRY(WriteCaptureNames(source, out));
  const size_t captures = source.attrs.strings(graph::kCaptures).size();
  std::vector<ValueId> inputs = source.inputs, outputs = source.outputs;
  inputs.resize(inputs.size() - std::min(captures, inputs.size()));
  WireWriter node;
  for (auto* list : {&inputs, &outputs}) {
    for (ValueId value : *list) {
      node.Text(list == &inputs ? 1 : 2, value == ValueId::kNone ? "" : NameOf(value));
    }
  }
  if (!source.name.empty()) node.Text(3, NodeName(source.name));
  const std::string_view domain = DomainOf(source.op);
  node.Text(4, std::string_view(source.op).substr(domain.empty() ? 0 : domain.size() + 1));
  for (const auto& [name, value] : source.attrs) {
    if (name.starts_with("pare.")) continue;
    WireWriter attribute = WriteAttribute(name, value);
    const auto doc = source.notes.attributes.find(name);
    if (doc != source.notes.attributes.end() && !IsOpaque(value)) attribute.Text(13, doc->second);
    node.Message(5, std::move(attribute));
  }
  if (!source.notes.doc.empty()) node.Text(6, source.notes.doc);
  if (!domain.empty()) node.Text(7, domain);
  WriteEntries(9, source.notes.metadata, node);
  out.Message(1, std::move(node));
  return {};
}

Status Writer::WriteNodes(WireWriter& out) {
  for (NodeId id : order_) {
    const Status status = WriteNode(id, out);
    if (!status) return Fail(status.error().at(ops::NodePath(g_, g_.node(id))));
  }
  for (const auto& [value, name] : copied_outputs_) WriteIdentity(NameOf(value), name, out);
  return {};
}

void Writer::WriteInitializer(ValueId id, const ExternalPlace* place, WireWriter& out) const {
  WireWriter tensor = WriteTensor(NameOf(id), g_.value(id).data, place);
  if (!g_.value(id).tensor_doc.empty()) tensor.Text(12, g_.value(id).tensor_doc);
  out.Message(5, std::move(tensor));
}

void Writer::WriteInitializers(DataFile* data, WireWriter& out) {
  for (ValueId id : Initializers()) {
    const Tensor& tensor = g_.value(id).data;
    if (!data || tensor.bytes() < kSmallTensor) {
      WriteInitializer(id, nullptr, out);
      continue;
    }
    const Tensor stored = AsStored(tensor);
    const int64_t offset = (data->size + kDataAlignment - 1) / kDataAlignment * kDataAlignment;
    const ExternalPlace place{data->location, offset};
    WriteInitializer(id, &place, out);
    data->tensors.emplace_back(stored, offset);
    data->size = offset + static_cast<int64_t>(stored.bytes());
  }
}

void Writer::WriteInputs(WireWriter& out) const {
  for (ValueId id : g_.inputs()) WriteValueInfo(11, id, NameOf(id), g_.value(id).notes, out);
  const bool all = ir_version() < kFirstFreeInitializers;
  for (ValueId id : Initializers()) {
    if (all || g_.value(id).overridable)
      WriteValueInfo(11, id, NameOf(id), g_.value(id).notes, out);
  }
}

// Of values that are still there under their names. Parameters that nothing else reads are written
// here.
void Writer::WriteAnnotations(WireWriter& out) {
  std::unordered_set<std::string_view> there;
  for (const auto& [id, name] : names_) there.insert(name);
  std::map<std::string, const Tensor*> unread;
  for (const graph::QuantAnnotation& annotation : g_.annotations) {
    const auto fits = [&](const graph::QuantAnnotation::Parameter& p) {
      return there.contains(p.tensor) || (p.data && !taken_.contains(p.tensor));
    };
    if (!there.contains(annotation.value) || !std::ranges::all_of(annotation.parameters, fits))
      continue;
    WireWriter message;
    message.Text(1, annotation.value);
    for (const auto& [key, tensor, data] : annotation.parameters) {
      WireWriter entry;
      entry.Text(1, key);
      entry.Text(2, tensor);
      message.Message(2, std::move(entry));
      if (!there.contains(tensor)) unread[tensor] = &data;
    }
    out.Message(14, std::move(message));
  }
  for (const auto& [name, data] : unread) out.Message(5, WriteTensor(name, *data));
}

void Writer::WriteHeader(WireWriter& out) const {
  out.Int(1, ir_version());
  if (!g_.producer.empty()) out.Text(2, g_.producer);
  if (!g_.producer_version.empty()) out.Text(3, g_.producer_version);
  if (!g_.domain.empty()) out.Text(4, g_.domain);
  if (g_.model_version != 0) out.Int(5, g_.model_version);
  if (!g_.model_doc.empty()) out.Text(6, g_.model_doc);
  std::map<std::string, int64_t> opsets = g_.opsets;
  if (opset_ > 0) opsets[""] = opset_;
  for (NodeId id : order_) opsets.try_emplace(std::string(DomainOf(g_.node(id).op)), 1);
  for (const auto& [domain, version] : opsets) {
    WireWriter opset;
    opset.Text(1, domain);
    opset.Int(2, version);
    out.Message(8, std::move(opset));
  }
  WriteEntries(14, g_.metadata, out);
}

Result<WireWriter> Writer::Write(DataFile* data) {
  order_ = g_.Order();
  ChooseNames();
  if (!copied_outputs_.empty() && opset_ == 0) opset_ = kDefaultOpset;
  WireWriter graph;
  PARE_TRY(WriteNodes(graph));
  graph.Text(2, g_.name.empty() ? "graph" : g_.name);
  WriteInitializers(data, graph);
  if (!g_.notes.doc.empty()) graph.Text(10, g_.notes.doc);
  WriteInputs(graph);
  for (const graph::Output& output : g_.outputs()) {
    WriteValueInfo(12, output.value, output.name, output.notes, graph);
  }
  for (NodeId id : order_) {
    for (ValueId output : g_.node(id).outputs) {
      if (output == ValueId::kNone || g_.is_output(output)) continue;
      const graph::Value& value = g_.value(output);
      const bool known = value.type.dtype != DType::kNone && value.type.has_rank();
      if (known) WriteValueInfo(13, output, NameOf(output), value.notes, graph);
    }
  }
  WriteAnnotations(graph);
  WriteEntries(16, g_.notes.metadata, graph);
  WireWriter model;
  WriteHeader(model);
  model.Message(7, std::move(graph));
  return model;
}

Result<AtomicFile> WrittenOut(const std::string& path, const WireWriter& bytes) {
  PARE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  PARE_TRY(bytes.ForEachPiece([&](Bytes piece) { return file.Write(piece); }));
  PARE_TRY(file.Flush());
  return file;
}

std::string NameAlone(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// By content, so that no model that is there loses the weights it was written with.
std::string DataPathOf(const std::string& path, const Writer::DataFile& data) {
  WordHash hash;
  for (const auto& [tensor, offset] : data.tensors) hash.Add({tensor.data(), tensor.bytes()});
  return Text(path, '.', HexText(hash.value()), ".data");
}

Status WriteWeights(const Writer::DataFile& data, const std::string& path) {
  PARE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  for (const auto& [tensor, offset] : data.tensors) {
    PARE_TRY(file.PadTo(kDataAlignment));
    PARE_TRY(file.Write({tensor.data(), tensor.bytes()}));
  }
  return file.Commit();
}

Result<Draft> DraftWithWeights(const Versioned& versioned, const std::string& path) {
  Writer::DataFile data;
  PARE_TRY(Writer(versioned.graph, versioned.opset).Write(&data));
  const std::string data_path = DataPathOf(path, data);
  data = {.location = NameAlone(data_path), .tensors = {}};
  PARE_ASSIGN(const WireWriter model, Writer(versioned.graph, versioned.opset).Write(&data));
  PARE_ASSIGN(AtomicFile file, WrittenOut(path, model));
  const bool there = FileExists(data_path);
  if (!there) PARE_TRY(WriteWeights(data, data_path));
  return Draft(std::move(file), there ? "" : data_path);
}

}  // namespace

Result<Draft> ExportDraft(const Graph& graph, const std::string& path,
                          const ExportOptions& options) {
  const auto in_context = [&](const Error& error) { return Fail(error.at(path)); };
  const Result<Versioned> versioned = ChooseVersion(graph);
  if (!versioned) return in_context(versioned.error());
  const Result<WireWriter> model = Writer(versioned->graph, versioned->opset).Write(nullptr);
  if (!model) return in_context(model.error());
  if (model->size() > options.inline_limit) return DraftWithWeights(*versioned, path);
  PARE_ASSIGN(AtomicFile file, WrittenOut(path, *model));
  return Draft(std::move(file), "");
}

Status Export(const Graph& graph, const std::string& path, const ExportOptions& options) {
  PARE_ASSIGN(Draft draft, ExportDraft(graph, path, options));
  return draft.Commit();
}

void Draft::RemoveFile::operator()(const std::string* path) const noexcept {
  std::remove(path->c_str());
  delete path;
}

Draft::Draft(AtomicFile file, std::string weights)
    : file_(std::move(file)),
      weights_(weights.empty() ? nullptr : new std::string(std::move(weights))) {}

Status Draft::Commit() {
  PARE_TRY(file_.Commit());
  delete weights_.release();
  return {};
}

Result<std::string> ExportBytes(const Graph& graph) {
  PARE_ASSIGN(const Versioned versioned, ChooseVersion(graph));
  PARE_ASSIGN(const WireWriter model, Writer(versioned.graph, versioned.opset).Write(nullptr));
  return model.Join();
}

}  // namespace pare::onnx
