#include "onnx/versions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "onnx/export.h"
#include "onnx/import.h"
#include "onnx/messages.h"
#include "onnx/test_model.h"

namespace pare::onnx {
namespace {

using namespace test;  // NOLINT
using graph::Graph;

Result<Graph> Load(const Model& model) {
  NoExternalFiles none;
  return ImportBytes(BytesOf(model.Bytes()), nullptr, none);
}

// The attributes of a node, whatever their order.
std::multiset<std::string> AttributesOf(const std::vector<Bytes>& attributes) {
  std::multiset<std::string> texts;
  for (Bytes attribute : attributes) texts.insert(std::string(TextOf(attribute)));
  return texts;
}

struct Case {
  int64_t opset;
  const char* op;
  Words inputs;
  Words attributes;
  // In the form of opset 21: "Op(inputs without the outer ones) attributes".
  const char* form;
  Words initializers = {};
};

// The nodes as text, with the values of constants that are not in the file.
std::string FormOf(const Graph& g) {
  std::string text;
  for (graph::NodeId id : g.Order()) {
    const graph::Node& node = g.node(id);
    text += text.empty() ? "" : " ";
    text += node.op + "(";
    const char* comma = "";
    for (graph::ValueId input : node.inputs) {
      text += comma;
      comma = ",";
      if (input == graph::ValueId::kNone) continue;
      const graph::Value& value = g.value(input);
      if (!value.data || value.name == "w") {
        text += value.name;
        continue;
      }
      const pare::Tensor numbers = Cast(value.data, DType::kF64).value();
      text += std::string(DTypeName(value.data.dtype())) + "{";
      for (double number : numbers.as<double>()) text += Text(number, ' ');
      if (text.back() == ' ') text.pop_back();
      text += "}";
    }
    text += ")";
    for (const auto& [name, value] : node.attrs) {
      text += " " + name;
      if (const auto* i = std::get_if<int64_t>(&value)) text += Text('=', *i);
      if (const auto* s = std::get_if<std::string>(&value)) text += "=" + *s;
    }
  }
  return text;
}

const Ints k12 = {1, 2};
const Case kCases[] = {
    {6, "Clip", {"x"}, {A("max", 6.f), A("min", 0.f)}, "Clip(x,f32{0},f32{6})"},
    {10, "Clip", {"x"}, {A("max", 6.f)}, "Clip(x,,f32{6})"},
    {10, "Dropout", {"x"}, {A("ratio", 0.25f)}, "Dropout(x,f32{0.25})"},
    {11, "Squeeze", {"x"}, {A("axes", k12)}, "Squeeze(x,i64{1 2})"},
    {12, "Unsqueeze", {"x"}, {A("axes", Ints{0})}, "Unsqueeze(x,i64{0})"},
    {12,
     "ReduceSum",
     {"x"},
     {A("axes", k12), A("keepdims", 0)},
     "ReduceSum(x,i64{1 2}) keepdims=0"},
    {17, "ReduceMean", {"x"}, {A("axes", k12)}, "ReduceMean(x,i64{1 2})"},
    {13, "ReduceMax", {"x"}, {}, "ReduceMax(x)"},
    {12, "Split", {"x"}, {A("axis", 1), A("split", k12)}, "Split(x,i64{1 2}) axis=1"},
    {13, "Split", {"x"}, {}, "Split(x) num_outputs=1"},
    {10,
     "Pad",
     {"x"},
     {A("mode", "constant"), A("pads", k12), A("value", 1.5f)},
     "Pad(x,i64{1 2},f32{1.5}) mode=constant"},
    {9,
     "Slice",
     {"x"},
     {A("axes", k12), A("ends", k12), A("starts", k12)},
     "Slice(x,i64{1 2},i64{1 2},i64{1 2})"},
    {9, "Slice", {"x"}, {A("ends", k12), A("starts", k12)}, "Slice(x,i64{1 2},i64{1 2})"},
    {9, "TopK", {"x"}, {A("axis", 1), A("k", 3)}, "TopK(x,i64{3}) axis=1"},
    {8,
     "Upsample",
     {"x"},
     {A("mode", "nearest"), AFloats("scales", {1, 1, 2})},
     "Resize(x,,f32{1 1 2}) coordinate_transformation_mode=asymmetric mode=nearest "
     "nearest_mode=floor"},
    {9,
     "Upsample",
     {"x", "w"},
     {A("mode", "linear")},
     "Resize(x,,w) coordinate_transformation_mode=asymmetric mode=linear",
     {Floats("w", {3}, {1, 1, 2})}},
    {10,
     "Resize",
     {"x", "w"},
     {A("mode", "nearest")},
     "Resize(x,,w) coordinate_transformation_mode=asymmetric mode=nearest nearest_mode=ceil",
     {Floats("w", {3}, {1, 1, 0.5})}},
    {9, "Scatter", {"x", "i", "u"}, {A("axis", 1)}, "ScatterElements(x,i,u) axis=1"},
    {16, "GridSample", {"x", "u"}, {A("mode", "bilinear")}, "GridSample(x,u) mode=linear"},
    {10,
     "RoiAlign",
     {"x", "u", "i"},
     {},
     "RoiAlign(x,u,i) coordinate_transformation_mode=output_half_pixel"},
    {17, "DFT", {"x"}, {A("axis", 1)}, "DFT(x,,i64{1})"},
    {12, "Softmax", {"x"}, {A("axis", 2)}, "Softmax(x) axis=2"},
    {12, "LogSoftmax", {"x"}, {A("axis", -1)}, "LogSoftmax(x) axis=-1"},
    {11,
     "Softmax",
     {"x"},
     {A("axis", 1)},
     "Flatten(x) axis=1 Softmax(y_Flatten) axis=-1 Shape(x) Reshape(y_flat,y_Shape)"},
    {13, "Softmax", {"x"}, {A("axis", 1)}, "Softmax(x) axis=1"},
    {7,
     "BatchNormalization",
     {"x", "a", "a", "a", "a"},
     {A("momentum", 0.9f)},
     "BatchNormalization(x,a,a,a,a) momentum"},
    {7, "Add", {"x", "a"}, {}, "Add(x,a)"},
    {17, "Mystery", {"x"}, {A("axes", k12)}, "Mystery(x) axes"},
};

Model ModelOf(const Case& c) {
  Model model = OneNode(c.opset, Node(c.op, c.inputs, {"y"}, c.attributes, "n"), c.initializers);
  for (const char* name : {"a", "u"}) model.inputs.push_back(Value(name, 1, {"3"}));
  model.inputs.push_back(Value("i", 7, {"3"}));
  return model;
}

TEST(Versions, BringOperatorsToOneFormAndBack) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(Text(c.op, " of opset ", c.opset));
    const Model model = ModelOf(c);
    const Result<Graph> g = Load(model);
    ASSERT_TRUE(g) << g.error().message();
    EXPECT_EQ(FormOf(*g), c.form);
    const Result<std::string> written = ExportBytes(*g);
    ASSERT_TRUE(written) << written.error().message();
    const ModelMessage message = ReadModel(BytesOf(*written)).value();
    EXPECT_EQ(message.opsets[0].version, std::max<int64_t>(c.opset, 7));
    const GraphMessage graph = ReadGraph(*message.graph).value();
    ASSERT_EQ(graph.nodes.size(), 1u);
    const NodeMessage node = ReadNode(graph.nodes[0]).value();
    const NodeMessage source = ReadNode(BytesOf(model.nodes[0])).value();
    EXPECT_EQ(node.op_type, source.op_type);
    EXPECT_EQ(node.name, source.name);
    EXPECT_EQ(node.inputs, source.inputs);
    EXPECT_EQ(AttributesOf(node.attributes), AttributesOf(source.attributes));
  }
}

TEST(Versions, ReadFormsThatAreNoLongerWritten) {
  const Case cases[] = {
      {6,
       "Add",
       {"x", "a"},
       {A("axis", 1), A("broadcast", 1)},
       "Unsqueeze(a,i64{1}) Add(x,y_unsqueezed)"},
      {6, "Mul", {"x", "a"}, {A("broadcast", 1)}, "Mul(x,a)"},
      {6, "PRelu", {"x", "a"}, {}, "Unsqueeze(a,i64{1}) PRelu(x,y_unsqueezed)"},
      {6, "Gemm", {"x", "a", "u"}, {A("broadcast", 1), A("transB", 1)}, "Gemm(x,a,u) transB=1"},
      {5, "Cast", {"x"}, {A("to", "INT64")}, "Cast(x) to=7"},
      {3, "Concat", {"x", "a"}, {}, "Concat(x,a) axis=1"},
      {1, "Pad", {"x"}, {A("paddings", k12)}, "Pad(x,i64{1 2})"},
      {4, "Reshape", {"x"}, {A("shape", k12)}, "Reshape(x,i64{1 2})"},
      {6, "Dropout", {"x"}, {A("is_test", 1), A("ratio", 0.5f)}, "Dropout(x,f32{0.5})"},
      {5, "Relu", {"x"}, {A("consumed_inputs", Ints{0})}, "Relu(x)"},
      {6,
       "BatchNormalization",
       {"x", "a", "a", "a", "a"},
       {A("is_test", 1), A("spatial", 1)},
       "BatchNormalization(x,a,a,a,a)"},
      {6,
       "Upsample",
       {"x"},
       {A("height_scale", 2.f), A("width_scale", 3.f)},
       "Resize(x,,f32{1 1 2 3}) coordinate_transformation_mode=asymmetric nearest_mode=floor"},
  };
  for (const Case& c : cases) {
    const Result<Graph> g = Load(ModelOf(c));
    ASSERT_TRUE(g) << c.op << g.error().message();
    EXPECT_EQ(FormOf(*g), c.form);
  }
}

TEST(Versions, ConstantsFromAttributesHaveTheTypeOfTheData) {
  Model model = OneNode(10, Node("Clip", {"h"}, {"y"}, {A("min", 0.5f)}));
  model.nodes.insert(model.nodes.begin(), Node("Cast", {"x"}, {"c"}, {A("to", 10)}));
  model.nodes.insert(model.nodes.begin() + 1, Node("Relu", {"c"}, {"h"}));
  const Result<Graph> g = Load(model);
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_EQ(g->value(g->FindValue("y_min")).data.dtype(), DType::kF16);
}

TEST(Versions, ReadGroupNormOfOpset18AndGeluOfMicrosoft) {
  Model norm = OneNode(18, Node("GroupNormalization", {"x", "s", "s"}, {"y"}, {A("num_groups", 1)}),
                       {Floats("s", {1}, {2})});
  const Result<Graph> g = Load(norm);
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_EQ(FormOf(*g), "GroupNormalization(x,f32{2 2 2},f32{2 2 2}) num_groups=1");

  Model gelu = OneNode(13, Node("FastGelu", {"x", "b"}, {"y"}, {}, "", "com.microsoft"),
                       {Floats("b", {4}, {1, 2, 3, 4})});
  protozero::pbf_writer w(gelu.extra);
  {
    protozero::pbf_writer o(w, 8);
    o.add_string(1, "com.microsoft");
    o.add_int64(2, 1);
  }
  const Result<Graph> fast = Load(gelu);
  ASSERT_TRUE(fast) << fast.error().message();
  EXPECT_EQ(FormOf(*fast), "Add(x,f32{1 2 3 4}) Gelu(y_biased) approximate=tanh");
  const std::string written = ExportBytes(*fast).value();
  EXPECT_NE(written.find("FastGelu"), written.npos);
}

TEST(Versions, TellWhatTheyCannotRead) {
  struct Bad {
    Case source;
    const char* message;
  };
  const Bad cases[] = {
      {{8, "Scan", {"x"}, {}, ""}, "Scan in the form of opset 8"},
      {{7, "BatchNormalization", {"x", "a", "a", "a", "a"}, {A("spatial", 0)}, ""}, "spatial=0"},
      {{6, "Add", {"x", "a"}, {A("axis", 3), A("broadcast", 1)}, ""},
       "cannot be aligned at axis 3"},
      {{6, "Clip", {"x"}, {A("max", 6)}, ""}, "its attribute max is of the wrong type"},
      {{12, "Squeeze", {"x", "i"}, {A("axes", k12)}, ""}, "axes both as attribute and as input"},
  };
  for (const Bad& bad : cases) {
    const Result<Graph> g = Load(ModelOf(bad.source));
    ASSERT_FALSE(g) << bad.message;
    const std::string message = g.error().message();
    EXPECT_NE(message.find(bad.message), message.npos) << message;
    EXPECT_NE(message.find(Text("node n (", bad.source.op, ")")), message.npos) << message;
  }
}

}  // namespace
}  // namespace pare::onnx
