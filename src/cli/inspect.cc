#include <algorithm>
#include <map>

#include "cli/command.h"
#include "cli/inputs.h"
#include "cli/text.h"
#include "data/preprocess.h"
#include "model/model.h"
#include "onnx/denormals.h"
#include "onnx/import.h"
#include "ops/op_def.h"
#include "ops/prepare.h"
#include "passes/bind.h"
#include "platform/file.h"

namespace pare::cli {
namespace {

using graph::Graph;
using graph::Node;
using graph::TensorType;
using graph::ValueId;
using Align = Table::Align;

struct InspectOptions {
  std::string model;
  std::vector<std::string> shapes;
  int64_t batch = 1;
  bool nodes = false;
  CommonOptions common;

  void Declare(Parser& parser) {
    parser.Positional("MODEL", model, "an .onnx file");
    parser.Group("what to look at");
    parser.Flag("--nodes", nodes, "list every node with the types of its outputs");
    DeclareShapes(parser, shapes);
    parser.Option("--batch", "N", batch, 1, "samples in one run of the model (default 1)");
  }
};

// A reason why the model doesn't run; node and op are empty where it is none's.
struct Missing {
  std::string node, op, reason;
};
struct OpCount {
  int64_t count = 0, macs = 0;
};
struct Memory {
  size_t arena_bytes, scratch_bytes, packed_bytes;
};

struct InspectReport {
  std::string path;
  int64_t bytes = 0;
  Graph graph;  // simplified where that works
  Graph sized;  // with the sizes of --shape and --batch, where they are known
  std::map<std::string, OpCount> operators;
  int64_t folded_norms = 0;           // BatchNormalization that became part of weights
  std::optional<int64_t> parameters;  // nothing where bodies hold some, too
  std::map<DType, int64_t> parameter_bytes;
  std::optional<int64_t> macs;
  std::vector<Missing> missing;
  std::optional<Memory> memory;
  std::string batch_note, weights_note;
  std::vector<std::string> notes;
  bool tried = false;  // all sizes were known
  bool list_nodes = false;
};

std::string NodeName(const Graph& graph, const Node& node) {
  if (!node.name.empty() || node.outputs.empty() || node.outputs[0] == ValueId::kNone)
    return node.name;
  return graph.value(node.outputs[0]).name;
}

// Bodies stay bytes, and with them the constants that are theirs.
bool HasBodies(const Graph& graph) {
  const auto order = graph.Order();
  return std::any_of(order.begin(), order.end(), [&](graph::NodeId id) {
    const Node& node = graph.node(id);
    return node.op == "If" || node.op == "Loop" || node.op == "Scan" ||
           node.attrs.has(graph::kCaptures);
  });
}

void CountParameters(InspectReport& report) {
  if (HasBodies(report.graph)) return;
  report.parameters = 0;
  for (size_t i = 0; i < report.graph.value_count(); ++i) {
    const graph::Value& value = report.graph.value(static_cast<ValueId>(i));
    if (!value.data || value.uses.empty()) continue;
    *report.parameters += value.data.count();
    report.parameter_bytes[value.data.dtype()] += static_cast<int64_t>(value.data.bytes());
  }
}

void FindUnknownOperators(InspectReport& report) {
  for (const graph::NodeId id : report.graph.Order()) {
    const Node& node = report.graph.node(id);
    ++report.operators[node.op].count;
    if (!ops::FindOp(node.op)) {
      report.missing.push_back(
          {NodeName(report.graph, node), node.op, "pare has no such operator"});
    }
  }
}

bool IsStatic(const Graph& graph, const std::vector<ValueId>& values) {
  return std::all_of(values.begin(), values.end(), [&](ValueId id) {
    return id == ValueId::kNone || graph.value(id).type.is_static();
  });
}

// Of all nodes whose shapes are known; nothing where one that computes has none.
void CountMacs(InspectReport& report) {
  int64_t total = 0;
  bool complete = true;
  for (const graph::NodeId id : report.sized.Order()) {
    const Node& node = report.sized.node(id);
    const ops::OpDef* op = ops::FindOp(node.op);
    if (!op || !op->cost) continue;
    if (!IsStatic(report.sized, node.inputs) || !IsStatic(report.sized, node.outputs) ||
        !ops::CheckOperands(*op, node)) {
      complete = false;
      continue;
    }
    const int64_t macs = op->cost(ops::NodeView(report.sized, node)).macs;
    report.operators[node.op].macs += macs;
    total += macs;
  }
  if (complete && report.parameters) report.macs = total;
}

Missing MissingOf(const Error& error) { return {"", "", error.message()}; }

// All nodes that can't be prepared, where compiling only names the first.
void FindUnpreparable(const Graph& simplified, const std::vector<Dims>& shapes, const Cpu& cpu,
                      InspectReport& report) {
  [[maybe_unused]] const size_t before = report.missing.size();
  auto bound = passes::BindShapes(simplified, shapes);
  if (!bound) return report.missing.push_back(MissingOf(bound.error()));
  if (Status status = passes::Optimize(*bound); !status)
    return report.missing.push_back(MissingOf(status.error()));
  ops::PackCache packs;
  for (const graph::NodeId id : bound->Order()) {
    const Node& node = bound->node(id);
    const auto prepared = ops::Prepare(*bound, node, cpu, packs);
    if (!prepared)
      report.missing.push_back({NodeName(*bound, node), node.op, prepared.error().message()});
  }
  PARE_DCHECK(report.missing.size() >= before);
}

// Compiles the model for these shapes, and says what stands in the way.
void TryToCompile(const Graph& simplified, const std::vector<Dims>& shapes, InspectReport& report) {
  const model::Context context = model::Context::Make(1);
  Status failed;
  if (auto session = model::MakeSession(simplified, context); !session) {
    failed = Fail(session.error());
  } else if (auto plan = (*session)->PlanFor(shapes); !plan) {
    failed = Fail(plan.error());
  } else {
    report.memory = {(*plan)->arena_bytes, (*plan)->scratch_bytes, (*session)->packed_bytes()};
    return;
  }
  FindUnpreparable(simplified, shapes, context.cpu, report);
  if (report.missing.empty()) report.missing.push_back(MissingOf(failed.error()));
}

// A file whose operators pare can't even infer types for is still looked at, as it is.
Result<InspectReport> Open(const std::string& path) {
  InspectReport report;
  report.path = path;
  auto model = model::Model::Load(path);
  if (model) {
    report.bytes = model->file_bytes();
    report.batch_note = model->batch_note();
    report.graph = model->graph();
    report.folded_norms = model->folded_norms();
    return report;
  }
  auto graph = onnx::Import(path);
  if (!graph) return Fail(model.error());
  PARE_ASSIGN(const auto file, MappedFile::Open(path));
  report.bytes = static_cast<int64_t>(file->bytes().size());
  report.graph = std::move(*graph);
  report.missing.push_back(MissingOf(model.error()));
  return report;
}

Json TypeJson(const std::string& name, const TensorType& type,
              const std::vector<std::string>& symbols) {
  Json shape;
  if (type.shape) {
    shape = Json::ArrayOf(*type.shape, [&](graph::Dim dim) {
      return dim.known()       ? Json(dim.size())
             : dim.is_symbol() ? Json(symbols[dim.symbol()])
                               : Json();
    });
  }
  return Json::Object(
      {{"name", name}, {"dtype", DTypeName(type.dtype)}, {"shape", std::move(shape)}});
}

Json ToJson(const InspectReport& report) {
  const Graph& graph = report.graph;
  const auto type_json = [&](const std::string& name, ValueId id) {
    return TypeJson(name, graph.value(id).type, graph.symbols());
  };
  Json operators = Json::ArrayOf(report.operators, [](const auto& entry) {
    return Json::Object(
        {{"op", entry.first}, {"count", entry.second.count}, {"macs", entry.second.macs}});
  });
  Json json = Json::Object({
      {"inputs", Json::ArrayOf(graph.inputs(),
                               [&](ValueId id) { return type_json(graph.value(id).name, id); })},
      {"outputs", Json::ArrayOf(graph.outputs(),
                                [&](const auto& out) { return type_json(out.name, out.value); })},
      {"operators", std::move(operators)},
      {"folded_batch_normalizations", report.folded_norms},
      {"parameters", report.parameters},
      {"macs", report.macs},
      {"runs", report.tried || !report.missing.empty() ? Json(report.missing.empty()) : Json()},
      {"missing", Json::ArrayOf(report.missing,
                                [](const Missing& m) {
                                  return Json::Object(
                                      {{"node", m.node.empty() ? Json() : Json(m.node)},
                                       {"op", m.op.empty() ? Json() : Json(m.op)},
                                       {"reason", m.reason}});
                                })},
      {"bytes", report.bytes},
      {"producer", graph.producer},
      {"opsets", Json::ArrayOf(graph.opsets,
                               [](const auto& entry) {
                                 return Json::Object(
                                     {{"domain", entry.first}, {"version", entry.second}});
                               })},
  });
  Json memory;
  if (report.memory) {
    memory = Json::Object({{"arena_bytes", report.memory->arena_bytes},
                           {"scratch_bytes_per_thread", report.memory->scratch_bytes},
                           {"packed_bytes", report.memory->packed_bytes}});
  }
  json.Set("memory", std::move(memory));
  json.Set("batch_note", report.batch_note.empty() ? Json() : Json(report.batch_note));
  json.Set("weights_note", report.weights_note.empty() ? Json() : Json(report.weights_note));
  json.Set("notes", Json::ArrayOf(report.notes));
  Json metadata = Json::Object();
  for (const auto& [key, value] : graph.metadata) metadata.Set(key, value);
  json.Set("metadata", std::move(metadata));
  if (report.list_nodes) {
    const Graph& sized = report.sized;
    json.Set(
        "nodes", Json::ArrayOf(sized.Order(), [&](graph::NodeId id) {
          const Node& node = sized.node(id);
          Json types = Json::Array();
          for (const ValueId out : node.outputs) {
            if (out != ValueId::kNone)
              types.Add(TypeJson(sized.value(out).name, sized.value(out).type, sized.symbols()));
          }
          return Json::Object(
              {{"name", node.name}, {"op", node.op}, {"outputs", std::move(types)}});
        }));
  }
  return json;
}

std::string HeadText(const InspectReport& report) {
  const Graph& graph = report.graph;
  Table table({{"", Align::kLeft}, {"", Align::kLeft}});
  std::string made = ByteText(report.bytes);
  if (!graph.producer.empty()) made += ", by " + graph.producer;
  for (const auto& [domain, version] : graph.opsets) {
    made += Text(", ", domain.empty() ? "opset" : domain, ' ', version);
  }
  table.Add({"file", made});
  for (const ValueId id : graph.inputs()) {
    table.Add({"input", Text(graph.value(id).name, ": ",
                             graph::TypeText(graph.value(id).type, graph.symbols()))});
  }
  for (const graph::Output& output : graph.outputs()) {
    table.Add({"output", Text(output.name, ": ",
                              graph::TypeText(graph.value(output.value).type, graph.symbols()))});
  }
  std::string bytes;
  for (const auto& [dtype, count] : report.parameter_bytes) {
    bytes += Text(bytes.empty() ? "" : ", ", DTypeName(dtype), ' ', ByteText(count));
  }
  table.Add(
      {"parameters", report.parameters
                         ? Text(CountText(*report.parameters), bytes.empty() ? "" : " (", bytes,
                                bytes.empty() ? "" : ")")
                         : "– (bodies of If, Loop or Scan hold some, and are not looked into)"});
  const bool bodies = !report.parameters;
  table.Add({"MACs", bodies         ? std::string("–")
                     : report.macs  ? CountText(*report.macs)
                     : report.tried ? "– (with these sizes not all shapes are known)"
                                    : "– (sizes are not known: --shape gives them)"});
  if (report.memory) {
    table.Add(
        {"memory",
         Text(ByteText(static_cast<int64_t>(report.memory->arena_bytes)), " for values, ",
              ByteText(static_cast<int64_t>(report.memory->packed_bytes)), " packed weights, ",
              ByteText(static_cast<int64_t>(report.memory->scratch_bytes)), " scratch a thread")});
  }
  if (!report.batch_note.empty()) table.Add({"batch", report.batch_note});
  if (!report.weights_note.empty()) table.Add({"weights", report.weights_note});
  if (data::Preprocess::In(graph.metadata)) {
    for (const auto& [key, value] : graph.metadata) {
      if (key.starts_with("pare.preprocess.")) table.Add({key.substr(5), value});
    }
  }
  return table.Text();
}

std::string OperatorsText(const InspectReport& report) {
  Table table({{"operator", Align::kLeft}, {"nodes", Align::kRight}, {"MACs", Align::kRight}});
  for (const auto& [op, count] : report.operators) {
    table.Add({op, std::to_string(count.count), count.macs > 0 ? CountText(count.macs) : ""});
  }
  if (report.folded_norms > 0) {
    table.Add({"BatchNormalization", std::to_string(report.folded_norms), "folded when it runs"});
  }
  return table.Text();
}

std::string NodesText(const Graph& graph) {
  Table table({{"node", Align::kLeft, 60}, {"op", Align::kLeft}, {"outputs", Align::kLeft}});
  for (const graph::NodeId id : graph.Order()) {
    const Node& node = graph.node(id);
    std::string types;
    for (const ValueId out : node.outputs) {
      if (out == ValueId::kNone) continue;
      types +=
          Text(types.empty() ? "" : ", ", graph::TypeText(graph.value(out).type, graph.symbols()));
    }
    table.Add({NodeName(graph, node), node.op, types});
  }
  return table.Text();
}

std::string ToText(const InspectReport& report) {
  std::string text = Text(HeadText(report), '\n', OperatorsText(report));
  if (report.list_nodes) text += '\n' + NodesText(report.sized);
  if (report.missing.empty()) {
    return text + (report.memory ? "\nit runs\n" : "\nno operator is missing\n");
  }
  text += "\nit does not run:\n";
  Table table({{"", Align::kLeft, 60}, {"", Align::kLeft}, {"", Align::kLeft}});
  for (const Missing& missing : report.missing) {
    table.Add({missing.node, missing.op, missing.reason.substr(0, missing.reason.find('\n'))});
  }
  return text + table.Text(2);
}

Status Inspect(const InspectOptions& options, Console& console) {
  PARE_ASSIGN(InspectReport report, Open(options.model));
  report.list_nodes = options.nodes;
  report.weights_note = onnx::DenormalNote(report.graph);
  CountParameters(report);
  FindUnknownOperators(report);
  report.sized = report.graph;
  auto shapes = ResolveShapes(report.graph, options.shapes, options.batch);
  if (!shapes && !options.shapes.empty()) return Fail(shapes.error());
  if (!shapes) console.Note(Text("the model was not tried: ", shapes.error().message()));
  if (shapes) {
    report.tried = true;
    auto sized = passes::BindShapes(report.graph, *shapes);
    if (sized) report.sized = std::move(*sized);
    if (report.missing.empty()) TryToCompile(report.graph, *shapes, report);
  }
  CountMacs(report);
  report.notes = console.notes();
  return console.Show(report);
}

}  // namespace

extern const Command kInspectCommand = {
    .name = "inspect",
    .summary = "what is in a model, and what of it would not run",
    .examples =
        "pare inspect resnet.onnx\n"
        "pare inspect bert.onnx --shape sequence=128 --nodes",
    .run = ParseAndRun<InspectOptions, Inspect>,
};

}  // namespace pare::cli
