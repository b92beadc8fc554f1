#include "onnx/export.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "onnx/import.h"
#include "onnx/messages.h"
#include "onnx/tensor_proto.h"
#include "onnx/test_model.h"
#include "platform/file.h"

namespace pare::onnx {
namespace {

using namespace test;  // NOLINT
using graph::Graph;
using graph::NodeId;
using graph::ValueId;

Graph Load(const std::string& bytes) {
  NoExternalFiles none;
  Result<Graph> graph = ImportBytes(BytesOf(bytes), nullptr, none);
  EXPECT_TRUE(graph) << graph.error().message();
  return graph ? *graph : Graph();
}
std::string Write(const Graph& graph) {
  const Result<std::string> bytes = ExportBytes(graph);
  EXPECT_TRUE(bytes) << bytes.error().message();
  return bytes.value_or("");
}
// What of a written model the tests look at.
struct Written {
  explicit Written(std::string written) : bytes(std::move(written)) {
    model = ReadModel(BytesOf(bytes)).value();
    graph = ReadGraph(model.graph.value()).value();
    for (Bytes node : graph.nodes) nodes.push_back(ReadNode(node).value());
  }
  int64_t opset() const {
    for (const OpsetMessage& opset : model.opsets) {
      if (opset.domain.empty()) return opset.version;
    }
    return 0;
  }
  std::string bytes;
  ModelMessage model;
  GraphMessage graph;
  std::vector<NodeMessage> nodes;
};

TEST(Export, KeepsHeaderNamesDocsAndEdges) {
  Model model;
  model.nodes = {
      Node("Conv", {"x", "w", ""}, {"c"}, {A("group", 1)}, "/conv"),
      Node("Odd", {"c", "", "w"}, {"", "y"}, {A("s", "text"), A("f", 0.5f)}, "", "org.it")};
  protozero::pbf_writer(model.nodes[1]).add_string(6, "a doc");
  model.initializers = {Floats("w", {1, 1, 2, 2}, {1, 2, 3, 4})};
  model.inputs = {Value("x", 1, {"N", "1", "", "8"})};
  model.outputs = {Value("y", 1, {"N", "5"})};
  protozero::pbf_writer w(model.extra);
  w.add_string(2, "maker");
  w.add_string(3, "1.2 beta");
  w.add_string(4, "org.example");
  w.add_int64(5, 7);
  w.add_string(6, "model doc");
  {
    protozero::pbf_writer o(w, 8);
    o.add_string(1, "org.it");
    o.add_int64(2, 3);
  }
  {
    protozero::pbf_writer m(w, 14);
    m.add_string(1, "key");
    m.add_string(2, "value");
  }
  const Written out(Write(Load(model.Bytes())));
  EXPECT_EQ(out.model.producer_name, "maker");
  EXPECT_EQ(out.model.producer_version, "1.2 beta");
  EXPECT_EQ(out.model.domain, "org.example");
  EXPECT_EQ(out.model.model_version, 7);
  EXPECT_EQ(out.model.doc, "model doc");
  EXPECT_EQ(out.model.ir_version, 8);
  EXPECT_EQ(out.opset(), 13);
  EXPECT_EQ(out.model.opsets.size(), 2u);
  ASSERT_EQ(out.model.metadata.size(), 1u);
  EXPECT_EQ(out.model.metadata[0].second, "value");
  ASSERT_EQ(out.nodes.size(), 2u);
  EXPECT_EQ(out.nodes[0].name, "/conv");
  EXPECT_EQ(out.nodes[0].inputs, (Names{"x", "w", ""}));
  EXPECT_EQ(out.nodes[1].inputs, (Names{"c", "", "w"}));
  EXPECT_EQ(out.nodes[1].outputs, (Names{"", "y"}));
  EXPECT_EQ(out.nodes[1].domain, "org.it");
  EXPECT_EQ(out.nodes[1].doc, "a doc");
  EXPECT_EQ(TextOf(out.graph.inputs[0].type),
            TextOf(ReadGraph(BytesOf(model.Graph())).value().inputs[0].type));
  EXPECT_EQ(Write(Load(out.bytes)), out.bytes);  // the second time nothing changes
}

// Two elements of 4 bits a byte, the first one low; an odd one ends in half a byte.
TEST(Export, PacksFourBits) {
  Model model{.ir = 10, .opset = 21};
  model.nodes = {Node("DequantizeLinear", {"s", "scale"}, {"y"}),
                 Node("DequantizeLinear", {"u", "scale"}, {"z"})};
  model.initializers = {test::Tensor("s", 22, {5}, Raw<uint8_t>({0xf8, 0x17, 0x0a})),
                        test::Tensor("u", 21, {2}, Raw<uint8_t>({0xf8})),
                        Floats("scale", {}, {0.5f})};
  model.outputs = {Value("y", 1, {"5"}), Value("z", 1, {"2"})};
  const graph::Graph graph = Load(model.Bytes());
  const auto at = [&](const char* name) { return graph.value(graph.FindValue(name)).data; };
  const auto s = at("s").as<int8_t>();
  EXPECT_EQ(std::vector<int>(s.begin(), s.end()), (std::vector<int>{-8, -1, 7, 1, -6}));
  const auto u = at("u").as<uint8_t>();
  EXPECT_EQ(std::vector<int>(u.begin(), u.end()), (std::vector<int>{8, 15}));
  const std::string bytes = Write(graph);
  EXPECT_EQ(Write(Load(bytes)), bytes);
  const graph::Graph again = Load(bytes);
  EXPECT_EQ(again.value(again.FindValue("s")).data.dtype(), DType::kI4);
  EXPECT_NE(bytes.find(Raw<uint8_t>({0xf8, 0x17, 0x0a})), std::string::npos);
  // A byte too few or too many is no tensor.
  for (const auto& raw : {Raw<uint8_t>({0xf8, 0x17}), Raw<uint8_t>({1, 2, 3, 4})}) {
    model.initializers[0] = test::Tensor("s", 22, {5}, raw);
    NoExternalFiles none;
    EXPECT_FALSE(ImportBytes(BytesOf(model.Bytes()), nullptr, none));
  }
}

std::string Entry(const std::string& key, const std::string& value) {
  std::string out;
  protozero::pbf_writer w(out);
  w.add_string(1, key);
  w.add_string(2, value);
  return out;
}

TEST(Export, KeepsDocsAndMetadataOfGraphNodesAndValues) {
  Model model{.ir = 10, .opset = 21};
  model.nodes = {Node("Relu", {"x"}, {"r"}), Node("Abs", {"r"}, {"y"})};
  protozero::pbf_writer(model.nodes[1]).add_message(9, Entry("scope", "layer1/abs"));
  model.inputs = {Value("x", 1, {"2"})};
  model.values = {Value("r", 1, {"2"})};
  model.outputs = {Value("y", 1, {"2"})};
  for (std::string* info : {&model.inputs[0], &model.values[0], &model.outputs[0]}) {
    protozero::pbf_writer w(*info);
    w.add_string(3, "doc of " + std::to_string(info->size()));
    w.add_message(4, Entry("unit", "metres"));
    w.add_message(4, Entry("axis", "left"));
  }
  model.graph_extra = [] {
    std::string extra;
    protozero::pbf_writer w(extra);
    w.add_string(10, "graph doc");
    w.add_message(16, Entry("key", "of the graph"));
    return extra;
  }();
  const Written out(Write(Load(model.Bytes())));
  EXPECT_EQ(out.nodes[0].metadata, Entries());
  EXPECT_EQ(out.nodes[1].metadata, (Entries{{"scope", "layer1/abs"}}));
  EXPECT_EQ(out.graph.doc, "graph doc");
  EXPECT_EQ(out.graph.metadata, (Entries{{"key", "of the graph"}}));
  for (const auto* infos : {&out.graph.inputs, &out.graph.outputs, &out.graph.value_infos}) {
    ASSERT_EQ(infos->size(), 1u);
    EXPECT_TRUE(infos->front().doc.starts_with("doc of "));
    EXPECT_EQ(infos->front().metadata, (Entries{{"axis", "left"}, {"unit", "metres"}}));
  }
  EXPECT_EQ(Write(Load(out.bytes)), out.bytes);
}

TEST(Export, ListsInitializersAsInputsForOldFilesAndWhereTheyWere) {
  for (const auto& [ir, listed] : {std::pair(3, true), std::pair(4, true), std::pair(4, false)}) {
    Model model = OneNode(8, Node("Add", {"x", "w"}, {"y"}), {Floats("w", {1}, {1})});
    model.ir = ir;
    std::string input = Value("w", 1, {"1"});
    protozero::pbf_writer(input).add_string(3, "may be overridden");
    if (listed) model.inputs.push_back(input);
    Graph graph = Load(model.Bytes());
    const Written out(Write(graph));
    EXPECT_EQ(out.model.ir_version, ir);
    ASSERT_EQ(out.graph.inputs.size(), listed ? 2u : 1u);
    if (listed) {
      EXPECT_EQ(out.graph.inputs[1].doc, "may be overridden");
    }
    // Another value under its name is not what the caller knows.
    const ValueId w = graph.FindValue("w");
    graph.SetConstant(w, pare::Tensor::Of<float>({1}, {2}));
    EXPECT_EQ(Written(Write(graph)).graph.inputs.size(), ir == 3 ? 2u : 1u);
  }
}

// quantization_annotation of x: a scale that nothing else reads, and a zero point that a node
// reads.
std::string Annotation(const std::string& value) {
  std::string annotation, extra;
  protozero::pbf_writer a(annotation);
  a.add_string(1, value);
  a.add_message(2, Entry("SCALE_TENSOR", "s"));
  a.add_message(2, Entry("ZERO_POINT_TENSOR", "z"));
  protozero::pbf_writer(extra).add_message(14, annotation);
  return extra;
}

TEST(Export, KeepsWhatIsSaidOfAttributesTensorsAndQuantization) {
  std::string axis = A("axis", 1);
  protozero::pbf_writer(axis).add_string(13, "doc of the axis");
  std::string zero = Floats("z", {1}, {0});
  protozero::pbf_writer(zero).add_string(12, "doc of the tensor");
  Model model;
  model.nodes = {Node("Softmax", {"x"}, {"r"}, {axis}), Node("Add", {"r", "z"}, {"y"})};
  model.initializers = {zero, Floats("s", {1}, {0.5f})};
  model.inputs = {Value("x", 1, {"2", "3"})};
  model.outputs = {Value("y", 1, {"2", "3"})};
  model.graph_extra = Annotation("x") + Annotation("gone");
  const Written out(Write(Load(model.Bytes())));
  EXPECT_EQ(ReadAttribute(out.nodes[0].attributes[0]).value().doc, "doc of the axis");
  ASSERT_EQ(out.graph.initializers.size(), 2u);
  EXPECT_EQ(ReadNamedTensor(out.graph.initializers[0], {}).value().doc, "doc of the tensor");
  EXPECT_EQ(TensorName(out.graph.initializers[1]).value(), "s");
  ASSERT_EQ(out.graph.annotations.size(), 1u);
  EXPECT_EQ(out.graph.annotations[0].tensor, "x");
  EXPECT_EQ(out.graph.annotations[0].parameters,
            (Entries{{"SCALE_TENSOR", "s"}, {"ZERO_POINT_TENSOR", "z"}}));
  EXPECT_EQ(Write(Load(out.bytes)), out.bytes);
}

TEST(Export, RaisesTheOpsetOnlyAsFarAsNodesNeed) {
  struct Case {
    const char* op;
    graph::Attrs attrs;
    int scales;
    int64_t opset;
  };
  const Case cases[] = {
      {"Relu", {}, 1, 11},
      {"QuantizeLinear", {{"axis", int64_t{1}}}, 1, 11},
      {"QuantizeLinear", {{"axis", int64_t{1}}}, 3, 13},
      {"LayerNormalization", {}, 3, 17},
      {"Gelu", {}, 1, 20},
      {"Softmax", {{"axis", int64_t{0}}}, 1, 13},
      {"Softmax", {{"axis", int64_t{2}}}, 1, 11},
  };
  for (const Case& c : cases) {
    Graph g = Load(OneNode(11, Node("Clip", {"x", "lo"}, {"y"}), {Floats("lo", {}, {0})}).Bytes());
    std::vector<ValueId> inputs = {g.outputs()[0].value};
    const std::string_view op = c.op;
    if (op == "QuantizeLinear" || op == "LayerNormalization") {
      inputs.push_back(g.AddConstant(
          "s", pare::Tensor::Of<float>({c.scales}, std::vector<float>(c.scales, 1.f))));
    }
    const NodeId id = g.AddNode(c.op, inputs, {"new"}, c.attrs);
    g.SetType(g.node(id).outputs[0], g.value(g.inputs()[0]).type);
    g.SetOutputValue(0, g.node(id).outputs[0]);
    const Written out(Write(g));
    EXPECT_EQ(out.opset(), c.opset) << c.op;
    EXPECT_EQ(out.nodes[0].inputs, (Names{"x", "lo"}));
    EXPECT_EQ(out.graph.outputs[0].name, "y");  // the outer name stays
  }
}

TEST(Export, GivesOutputsTheirNamesWhateverRewritesDid) {
  Model model = OneNode(13, Node("Relu", {"x"}, {"y"}));
  model.outputs.push_back(Value("x", 1, {"2", "3", "4"}));
  model.nodes.push_back(Node("Neg", {"x"}, {"z"}));
  model.outputs.push_back(Value("z", 1, {"2", "3", "4"}));
  Graph g = Load(model.Bytes());
  g.ReplaceUses(g.FindValue("z"), g.FindValue("y"));  // z and y are the same now
  g.RemoveDead();
  const Written out(Write(g));
  ASSERT_EQ(out.graph.outputs.size(), 3u);
  ASSERT_EQ(out.nodes.size(), 2u);
  EXPECT_EQ(out.nodes[1].op_type, "Identity");
  EXPECT_EQ(out.nodes[1].inputs, (Names{"y"}));
  EXPECT_EQ(out.nodes[1].outputs, (Names{"z"}));
}

TEST(Export, GivesEachNodeANameOfItsOwn) {
  Graph g;
  const ValueId x = g.AddInput("x", {DType::kF32, graph::Shape{graph::Dim(2)}});
  const auto add = [&](ValueId from, const char* value, const char* name) {
    return g.node(g.AddNode("Relu", {from}, {value}, {}, name)).outputs[0];
  };
  g.AddOutput(add(add(add(add(x, "a", "relu"), "b", "relu"), "c", "relu_1"), "d", ""), "y");
  g.opsets[""] = 13;
  const Written out(Write(g));
  ASSERT_EQ(out.nodes.size(), 4u);
  EXPECT_EQ(out.nodes[0].name, "relu");
  EXPECT_EQ(out.nodes[1].name, "relu_2");
  EXPECT_EQ(out.nodes[2].name, "relu_1");
  EXPECT_EQ(out.nodes[3].name, "");
}

TEST(Export, KeepsBodiesAndTheNamesTheyRead) {
  Model body;
  body.nodes = {Node("Add", {"w", "w"}, {"o"})};
  body.outputs = {Value("o", 1, {"2"})};
  Model model;
  model.nodes = {Node("Neg", {"x"}, {"w"}),
                 Node("If", {"c"}, {"y"},
                      {AGraph("then_branch", body.Graph()), AGraph("else_branch", body.Graph())})};
  model.inputs = {Value("x", 1, {"2"}), Value("c", 9, {})};
  model.outputs = {Value("y", 1, {"2"})};
  Graph g = Load(model.Bytes());
  const Written same(Write(g));
  EXPECT_EQ(same.nodes[1].inputs, (Names{"c"}));
  EXPECT_NE(same.bytes.find(body.Graph()), std::string::npos);

  g.Rename(g.FindValue("w"), "v");
  const Written renamed(Write(g));
  ASSERT_EQ(renamed.nodes.size(), 3u);
  EXPECT_EQ(renamed.nodes[1].op_type, "Identity");
  EXPECT_EQ(renamed.nodes[1].outputs, (Names{"w"}));

  g.AddNode("Gelu", {g.outputs()[0].value}, {"z"});
  const auto raised = ExportBytes(g);
  ASSERT_FALSE(raised);
  EXPECT_NE(raised.error().message().find("its body is in the source's opset"), std::string::npos);
}

TEST(Export, RefusesInnerOperatorsWithTheirPath) {
  Graph g = Load(OneNode(13, Node("Relu", {"x"}, {"y"})).Bytes());
  g.AddNode("pare.QConv", {g.inputs()[0]}, {"q"}, {}, "/q");
  const auto bytes = ExportBytes(g);
  ASSERT_FALSE(bytes);
  EXPECT_NE(bytes.error().message().find("node /q (pare.QConv): "), std::string::npos);
}

TEST(Export, PutsLargeWeightsBesideTheModel) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("pare_export_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::vector<float> big(3000);
  for (size_t i = 0; i < big.size(); ++i) big[i] = static_cast<float>(i);
  Model model =
      OneNode(13, Node("Sum", {"x", "a", "b", "s"}, {"y"}),
              {Floats("a", {3000}, big), Floats("b", {3000}, big), Floats("s", {1}, {1})});
  const Graph g = Load(model.Bytes());
  const std::string path = (folder / "m.onnx").string();
  ASSERT_TRUE(Export(g, path, {.inline_limit = 100}));
  const Result<Graph> back = Import(path);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_LT(std::filesystem::file_size(path), 1000u);
  for (const char* name : {"a", "b", "s"}) {
    EXPECT_TRUE(graph::SameTensor(g.value(g.FindValue(name)).data,
                                  back->value(back->FindValue(name)).data));
  }
  // A second model doesn't touch the weights of the first before it takes its place.
  const auto files = [&] { return std::distance(std::filesystem::directory_iterator(folder), {}); };
  big[0] = -1;
  const Graph other =
      Load(OneNode(13, Node("Sum", {"x", "a", "b", "s"}, {"y"}),
                   {Floats("a", {3000}, big), Floats("b", {3000}, big), Floats("s", {1}, {1})})
               .Bytes());
  {
    const auto draft = ExportDraft(other, path, {.inline_limit = 100});
    ASSERT_TRUE(draft);
    EXPECT_EQ(files(), 4);
    const Result<Graph> drafted = Import(draft->path());
    ASSERT_TRUE(drafted) << drafted.error().message();
    EXPECT_EQ(drafted->value(drafted->FindValue("a")).data.as<float>()[0], -1);
    EXPECT_EQ(Import(path)->value(g.FindValue("a")).data.as<float>()[0], 0);
  }
  EXPECT_EQ(files(), 2);
  ASSERT_TRUE(Export(g, path));  // and all inside
  EXPECT_EQ(ReadFile(path).value(), Write(g));
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace pare::onnx
