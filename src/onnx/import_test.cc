#include "onnx/import.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "onnx/denormals.h"
#include "onnx/tensor_proto.h"
#include "onnx/test_model.h"
#include "platform/test_folder.h"

namespace pare::onnx {
namespace {

using namespace test;  // NOLINT
using graph::Graph;
using graph::NodeId;
using graph::ValueId;

Result<Graph> Load(const std::string& bytes) {
  NoExternalFiles none;
  return ImportBytes(BytesOf(bytes), nullptr, none);
}
std::string ErrorOf(const std::string& bytes) {
  const Result<Graph> graph = Load(bytes);
  return graph ? "loaded" : graph.error().message();
}
std::vector<float> FloatsOf(const Graph& g, std::string_view name) {
  const auto values = g.value(g.FindValue(name)).data.as<float>();
  return {values.begin(), values.end()};
}

// As PyTorch writes them with TrainingMode.TRAINING: no file is damaged for it.
TEST(Import, SaysWhichModelIsInTrainingMode) {
  const Words vectors{Floats("a", {3}, {1, 1, 1}), Floats("b", {3}, {0, 0, 0})};
  const auto norm = [&](const Words& outputs, int training) {
    return Load(OneNode(17,
                        Node("BatchNormalization", {"x", "a", "b", "b", "a"}, outputs,
                             {A("training_mode", training)}, "bn"),
                        vectors)
                    .Bytes());
  };
  const auto dropout = [](char training) {
    return Load(OneNode(17, Node("Dropout", {"x", "", "t"}, {"y"}, {}, "drop"),
                        {Tensor("t", 9, {}, std::string(1, training))})
                    .Bytes());
  };
  EXPECT_TRUE(norm({"y"}, 0));
  EXPECT_TRUE(dropout(0));
  for (const auto& [loaded, node] :
       {std::pair(norm({"y", "mean", "variance"}, 1), "node bn"),
        std::pair(norm({"y"}, 1), "node bn"), std::pair(dropout(1), "node drop")}) {
    ASSERT_FALSE(loaded);
    const std::string message = loaded.error().message();
    EXPECT_EQ(loaded.error().kind(), ErrorKind::kUnsupported) << message;
    EXPECT_TRUE(message.starts_with(node)) << message;
    EXPECT_NE(message.find("it is in training mode"), std::string::npos) << message;
    EXPECT_NE(message.find("model.eval()"), std::string::npos) << message;
  }
}

TEST(Import, TellsOfDenormalWeights) {
  const auto note_of = [](const std::vector<float>& weights) {
    const std::string bytes =
        OneNode(13, Node("Add", {"x", "w"}, {"y"}), {Floats("w", {4}, weights)}).Bytes();
    return DenormalNote(Load(bytes).value());
  };
  EXPECT_EQ(note_of({0.0f, -0.0f, 1.2e-38f, INFINITY}), "");
  EXPECT_EQ(note_of({0, 1e-39f, 1, NAN}),
            "1 weight is denormal, first in \"w\": pare computes with zero there");
  EXPECT_EQ(note_of({-1e-40f, 1e-39f, 1, 2}),
            "2 weights are denormal, first in \"w\": pare computes with zero there");
}

TEST(Import, ReadsNodesTypesAndConstants) {
  Model model;
  model.nodes = {
      Node("Conv", {"x", "w", ""}, {"c"}, {A("group", 1), A("pads", Ints{1, 1, 1, 1})}, "/conv"),
      Node("Mystery", {"c", "", "w"}, {"", "y"}, {A("alpha", 0.5f), A("mode", "fast")}, "",
           "org.example")};
  model.initializers = {Floats("w", {1, 1, 2, 2}, {1, 2, 3, 4})};
  model.inputs = {Value("x", 1, {"N", "1", "", "-1"})};
  model.outputs = {Value("y", 1, {"N", "5"})};
  const Result<Graph> g = Load(model.Bytes());
  ASSERT_TRUE(g) << g.error().message();
  const graph::Node& conv = g->node(NodeId{0});
  EXPECT_EQ(conv.op, "Conv");
  EXPECT_EQ(conv.name, "/conv");
  EXPECT_EQ(conv.attrs.ints("pads"), (Ints{1, 1, 1, 1}));
  EXPECT_EQ(conv.inputs.back(), ValueId::kNone);
  const graph::Node& mystery = g->node(NodeId{1});
  EXPECT_EQ(mystery.op, "org.example.Mystery");
  EXPECT_EQ(mystery.outputs[0], ValueId::kNone);
  EXPECT_EQ(mystery.attrs.f("alpha", 0), 0.5f);
  EXPECT_EQ(mystery.attrs.s("mode"), "fast");
  EXPECT_EQ(FloatsOf(*g, "w"), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(TypeText(g->value(g->inputs()[0]).type, g->symbols()), "f32[N,1,?,?]");
  EXPECT_EQ(TypeText(g->value(g->outputs()[0].value).type, g->symbols()), "f32[N,5]");
}

TEST(Import, TakesConstantNodesAndInitializedInputsAsConstants) {
  Model model{.ir = 3};
  model.nodes = {Node("Constant", {}, {"a"}, {A("value_floats", Ints{})}),
                 Node("Constant", {}, {"b"}, {ATensor("value", Floats("", {2}, {5, 6}))}),
                 Node("Constant", {}, {"c"}, {A("value_int", 7)}),
                 Node("Sum", {"x", "w", "b"}, {"y"})};
  model.initializers = {Floats("w", {2}, {1, 2})};
  model.inputs = {Value("x", 1, {"2"}), Value("w", 1, {"2"})};
  model.outputs = {Value("y", 1, {"2"})};
  const Result<Graph> g = Load(model.Bytes());
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_EQ(g->inputs().size(), 1u);
  EXPECT_EQ(g->node_count(), 1u);
  EXPECT_EQ(FloatsOf(*g, "b"), (std::vector<float>{5, 6}));
  EXPECT_EQ(g->value(g->FindValue("c")).data.as<int64_t>()[0], 7);
}

TEST(Import, AcceptsNodesInAnyOrderAndNamesOfAnyBytes) {
  const std::string odd("a\0\xff\n", 4);
  Model model;
  model.nodes = {Node("Relu", {odd}, {"y"}, {}, "same"), Node("Relu", {"x"}, {odd}, {}, "same")};
  model.inputs = {Value("x", 1, {"2"})};
  model.outputs = {Value("y", 1, {"2"})};
  const Result<Graph> g = Load(model.Bytes());
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_EQ(g->Order(), (std::vector<NodeId>{NodeId{1}, NodeId{0}}));
  EXPECT_NE(g->FindValue(odd), ValueId::kNone);
}

TEST(Import, NamesResultsThatOnlyOptionalOnesMayLack) {
  Model model;
  model.nodes = {Node("TopK", {"x", "k"}, {"", "i"}), Node("Relu", {"x"}, {""}),
                 Node("GRU", {"x", "w", "r"}, {"", "h"}), Node("Other", {"x"}, {"", "o"})};
  model.initializers = {Int64s("k", {2}), Floats("w", {1, 3, 4}, std::vector<float>(12)),
                        Floats("r", {1, 3, 1}, std::vector<float>(3))};
  model.inputs = {Value("x", 1, {"2", "3", "4"})};
  model.outputs = {Value("i", 7, {}), Value("h", 1, {}), Value("o", 1, {})};
  const Result<Graph> g = Load(model.Bytes());
  ASSERT_TRUE(g) << g.error().message();
  const std::pair<const char*, bool> first_is_there[] = {
      {"TopK", true}, {"Relu", true}, {"GRU", false}, {"Other", false}};
  for (size_t i = 0; i < std::size(first_is_there); ++i) {
    const graph::Node& node = g->node(static_cast<NodeId>(i));
    EXPECT_EQ(node.op, first_is_there[i].first);
    EXPECT_EQ(node.outputs[0] != ValueId::kNone, first_is_there[i].second) << node.op;
  }
}

TEST(Import, ViewsAlignedWeightsInTheOwnersBytes) {
  Model model = OneNode(13, Node("Add", {"x", "w"}, {"y"}), {Floats("w", {4}, {1, 2, 3, 4})});
  const std::string bytes = model.Bytes();
  const size_t data = bytes.find(Raw<float>({1, 2, 3, 4}));
  for (size_t shift = 0; shift < 4; ++shift) {
    auto owner = std::make_shared<std::vector<std::byte>>(bytes.size() + 64);
    const auto start = reinterpret_cast<uintptr_t>(owner->data());
    std::byte* at = owner->data() + (64 - start % 64) % 64 + (4 - data % 4) % 4 + shift;
    std::memcpy(at, bytes.data(), std::min(bytes.size(), owner->size() - 8));
    NoExternalFiles none;
    const Result<Graph> g = ImportBytes({at, bytes.size()}, owner, none);
    ASSERT_TRUE(g) << g.error().message();
    const bool viewed = g->value(g->FindValue("w")).data.data() == at + data;
    EXPECT_EQ(viewed, shift == 0) << shift;
    EXPECT_EQ(FloatsOf(*g, "w"), (std::vector<float>{1, 2, 3, 4}));
  }
}

TEST(Import, MakesWhatBodiesReadInputsOfTheirNode) {
  Model inner;
  inner.nodes = {Node("Add", {"x", "w"}, {"t"}), Node("Relu", {"t"}, {"branch"})};
  inner.outputs = {Value("branch", 1, {"2"})};
  Model outer;  // a body in a body reads through both
  outer.nodes = {
      Node("If", {"cond"}, {"o"},
           {AGraph("then_branch", inner.Graph()), AGraph("else_branch", inner.Graph())})};
  outer.outputs = {Value("o", 1, {"2"})};
  Model model;
  model.nodes = {Node("Neg", {"x"}, {"w"}), Node("If", {"cond"}, {"y"},
                                                 {AGraph("then_branch", outer.Graph()),
                                                  AGraph("else_branch", inner.Graph())})};
  model.inputs = {Value("x", 1, {"2"}), Value("cond", 9, {})};
  model.outputs = {Value("y", 1, {"2"})};
  Result<Graph> g = Load(model.Bytes());
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_EQ(g->node(NodeId{1}).attrs.strings(graph::kCaptures), (Words{"cond", "x", "w"}));
  EXPECT_EQ(g->node(NodeId{1}).inputs.size(), 4u);
  EXPECT_EQ(g->RemoveDead(), 0);
}

TEST(Import, WritesFunctionsOut) {
  std::string function;
  {
    protozero::pbf_writer w(function);
    w.add_string(1, "Twice");
    w.add_string(4, "a");
    w.add_string(5, "b");
    std::string alpha = Attr("alpha", 1, [](auto& a) { a.add_string(21, "slope"); });
    w.add_message(7, Node("LeakyRelu", {"a"}, {"t"}, {alpha}, "leak"));
    w.add_message(7, Node("Add", {"t", "t"}, {"b"}));
    w.add_string(10, "local");
  }
  Model model = OneNode(13, Node("Twice", {"x"}, {"m"}, {A("slope", 0.25f)}, "first", "local"));
  model.nodes.push_back(Node("Twice", {"m"}, {"y"}, {A("slope", 0.5f)}, "second", "local"));
  protozero::pbf_writer(model.extra).add_message(25, function);
  const Result<Graph> g = Load(model.Bytes());
  ASSERT_TRUE(g) << g.error().message();
  ASSERT_EQ(g->node_count(), 4u);
  EXPECT_EQ(g->node(NodeId{0}).op, "LeakyRelu");
  EXPECT_EQ(g->node(NodeId{0}).name, "m/leak");
  EXPECT_EQ(g->node(NodeId{0}).attrs.f("alpha", 0), 0.25f);
  EXPECT_EQ(g->node(NodeId{2}).attrs.f("alpha", 0), 0.5f);
  EXPECT_NE(g->FindValue("y/t"), ValueId::kNone);
}

TEST(Import, ReadsDataOfEveryTypeAndField) {
  const auto typed = [](int type, auto&& write) {
    std::string out;
    protozero::pbf_writer w(out);
    w.add_int64(1, 2);
    w.add_int32(2, type);
    write(w);
    return out;
  };
  const int32_t ints[] = {1, -2};
  const auto int32_data = [&](auto& w) { w.add_packed_int32(5, ints, ints + 2); };
  const auto loose_int32_data = [&](auto& w) {
    for (int i : ints) w.add_int32(5, i);
  };
  struct Case {
    std::string bytes;
    double first, second;
  };
  const int64_t longs[] = {1, -2};
  const uint64_t unsigned_longs[] = {1, 7};
  const float floats[] = {1.5f, -2};
  const double doubles[] = {1.5, -2};
  const int32_t halves[] = {0x3e00, 0xc000};
  const int32_t brains[] = {0x3fc0, 0xc000};
  const Case cases[] = {
      {typed(1, [&](auto& w) { w.add_packed_float(4, floats, floats + 2); }), 1.5, -2},
      {typed(2, int32_data), 1, 254},
      {typed(3, int32_data), 1, -2},
      {typed(4, int32_data), 1, 65534},
      {typed(5, loose_int32_data), 1, -2},
      {typed(6, loose_int32_data), 1, -2},
      {typed(7, [&](auto& w) { w.add_packed_int64(7, longs, longs + 2); }), 1, -2},
      {typed(9, int32_data), 1, 1},
      {typed(10, [&](auto& w) { w.add_packed_int32(5, halves, halves + 2); }), 1.5, -2},
      {typed(11, [&](auto& w) { w.add_packed_double(10, doubles, doubles + 2); }), 1.5, -2},
      {typed(12, [&](auto& w) { w.add_packed_uint64(11, unsigned_longs, unsigned_longs + 2); }), 1,
       7},
      {typed(13, [&](auto& w) { w.add_packed_uint64(11, unsigned_longs, unsigned_longs + 2); }), 1,
       7},
      {typed(16, [&](auto& w) { w.add_packed_int32(5, brains, brains + 2); }), 1.5, -2},
      {Tensor("", 9, {2}, {"\x00\x02", 2}), 0, 1},
  };
  for (const Case& c : cases) {
    const Result<pare::Tensor> tensor = ReadTensorProto(BytesOf(c.bytes));
    ASSERT_TRUE(tensor) << tensor.error().message();
    const pare::Tensor numbers = Cast(*tensor, DType::kF64).value();
    EXPECT_EQ(numbers.as<double>()[0], c.first) << DTypeName(tensor->dtype());
    EXPECT_EQ(numbers.as<double>()[1], c.second) << DTypeName(tensor->dtype());
  }
}

// --- what is refused, and with which words

TEST(ImportError, NamesNodeAndReason) {
  struct Case {
    Model model;
    const char* message;
  };
  const Words relu = {Node("Relu", {"x"}, {"y"}, {}, "/r")};
  const auto with = [](const std::string& node, const Words& initializers = {}) {
    return OneNode(13, node, initializers);
  };
  Model cyclic = with(Node("Add", {"x", "b"}, {"y"}, {}, "/one"));
  cyclic.nodes.push_back(Node("Relu", {"y"}, {"b"}));
  Model twice = with(relu[0]);
  twice.nodes.push_back(Node("Neg", {"x"}, {"y"}, {}, "/n"));
  Model huge = with(relu[0]);
  huge.inputs = {Value("x", 1, {"4000000000", "4000000000"})};
  Model negative = with(relu[0]);
  negative.inputs = {Value("x", 1, {"-7"})};
  Model no_type = with(relu[0]);
  no_type.inputs = {Value("x", 99, {"2"})};
  Model no_output = with(relu[0]);
  no_output.outputs = {Value("z", 1, {"2"})};
  Model unnamed = with(relu[0]);
  unnamed.domain = "org.other";
  Model future = with(relu[0]);
  future.opset = 99;
  const Case cases[] = {
      {cyclic, "node /one (Add): it waits for a result of its own"},
      {twice, "node /n (Neg): the value y is given twice"},
      {huge, "input x: its shape [4000000000,4000000000] is larger"},
      {negative, "input x: a dimension is -7"},
      {no_type, "input x: the element type 99 is none of ONNX"},
      {no_output, "the graph's output z is given by no node"},
      {future, "it needs opset 99"},
      {unnamed, "node /r (Relu): its operator is of ai.onnx in opset 0"},
      {with(Node("Relu", {"q"}, {"y"}, {}, "/r")), "node /r (Relu): it reads q, which no node"},
      {with(Node("", {"x"}, {"y"})), "it doesn't say which operator"},
      {with(Node("QConv", {"x"}, {"y"}, {}, "", "pare")), "the domain \"pare\" is reserved"},
      {with(Node("Relu", {"x"}, {"y"}, {A("a", 1), A("a", 2)})), "its attribute a is given twice"},
      {with(relu[0], {Floats("w", {3}, {1, 2})}), "needs 3 elements, but there are 8 bytes"},
      {with(relu[0], {Floats("w", {-1}, {})}), "negative dimension"},
      {with(relu[0], {Floats("w", {1LL << 40, 1LL << 40}, {})}), "more elements than memory"},
      {with(relu[0], {Floats("w", {1LL << 61}, {})}), "but there are 0 bytes"},
      {with(relu[0], {Tensor("w", 77, {1}, "1234")}), "tensor w: its element type 77 is none"},
      {with(relu[0], {Floats("w", {1}, {1}), Floats("w", {1}, {1})}), "the value w is given twice"},
  };
  for (const Case& c : cases) {
    const std::string message = ErrorOf(c.model.Bytes());
    EXPECT_NE(message.find(c.message), message.npos) << c.message << "\n  got: " << message;
  }
  EXPECT_NE(ErrorOf("").find("not an ONNX model"), std::string::npos);
  EXPECT_NE(ErrorOf("version https://git-lfs.github.com/spec/v1").find("Git LFS"),
            std::string::npos);
}

TEST(ImportError, EveryTruncationIsAnErrorOrAModel) {
  Model model = OneNode(13, Node("Conv", {"x", "w"}, {"y"}, {A("pads", Ints{1, 1})}),
                        {Floats("w", {2, 3, 1}, {1, 2, 3, 4, 5, 6})});
  const std::string bytes = model.Bytes();
  int errors = 0;
  for (size_t size = 0; size < bytes.size(); ++size) {
    // In a heap block of just that size, so that a sanitizer sees the first byte too many.
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    NoExternalFiles none;
    errors += !ImportBytes(std::as_bytes(std::span(cut)), nullptr, none);
  }
  EXPECT_GE(errors, static_cast<int>(model.Graph().size()));
}

TEST(ImportError, OtherFormatsAreCalledByTheirNames) {
  const TestFolder folder;
  const std::string zip("PK\3\4", 4), zeros(300, '\0');
  std::string tar = zeros;
  tar.replace(257, 5, "ustar");
  const struct {
    std::string bytes;
    std::string_view name, advice;
  } kCases[] = {
      {"\xff\xd8\xff\xe0" + zeros, "a JPEG picture", "--data"},
      {"\x89PNG\r\n\x1a\n" + zeros, "a PNG picture", "--data"},
      {zip + zeros + "x.txt", "a zip archive", "unpack it"},
      {zip + zeros + "model/data.pkl", "a PyTorch file (a zip archive)", "torch.onnx.export"},
      {zip + zeros + "metadata.json config.json", "a Keras model", "model.export"},
      {zip + zeros + "arr_0.npy", "an .npz of NumPy arrays", "--input"},
      {std::string("\x1c\0\0\0", 4) + "TFL3" + zeros, "a TensorFlow Lite model", "tf2onnx"},
      {"\x89HDF\r\n\x1a\n" + zeros, "an HDF5 file, as Keras writes", "model.export"},
      {"\x1f\x8b\x08" + zeros, "a gzip archive", "unpack it"},
      {tar, "a tar archive", "unpack it"},
  };
  for (const auto& [bytes, name, advice] : kCases) {
    const auto graph = Import(folder.Write("m.onnx", bytes));
    ASSERT_FALSE(graph) << name;
    const std::string message = graph.error().message();
    EXPECT_NE(message.find(Text("m.onnx: looks like ", name)), std::string::npos) << message;
    EXPECT_NE(graph.error().advice().find(advice), std::string::npos) << message;
    EXPECT_EQ(graph.error().kind(), ErrorKind::kInvalid);
  }
  // Cut off within its magic, and what is none of these.
  for (const std::string& bytes : {std::string("\xff\xd8"), zeros}) {
    const auto graph = Import(folder.Write("m.onnx", bytes));
    ASSERT_FALSE(graph);
    EXPECT_EQ(graph.error().message().find("looks like"), std::string::npos);
  }
}

class ExternalTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("pare_onnx_" + std::to_string(reinterpret_cast<uintptr_t>(this)));
    std::filesystem::create_directories(folder_);
    Write("w.bin", std::string(8, '\0') + Raw<float>({1, 2, 3, 4}));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  Result<Graph> LoadWith(const std::string& location, const std::string& offset,
                         const std::string& length) {
    std::string tensor;
    protozero::pbf_writer w(tensor);
    w.add_int64(1, 4);
    w.add_int32(2, 1);
    w.add_string(8, "w");
    const std::pair<const char*, std::string> entries[] = {
        {"location", location}, {"offset", offset}, {"length", length}};
    for (const auto& [key, value] : entries) {
      protozero::pbf_writer entry(w, 13);
      entry.add_string(1, key);
      entry.add_string(2, value);
    }
    w.add_int32(14, 1);
    Write("m.onnx", OneNode(13, Node("Add", {"x", "w"}, {"y"}), {tensor}).Bytes());
    return Import((folder_ / "m.onnx").string());
  }
  std::filesystem::path folder_;
};

TEST_F(ExternalTest, ReadsDataBesideTheModel) {
  const Result<Graph> g = LoadWith("w.bin", "8", "16");
  ASSERT_TRUE(g) << g.error().message();
  EXPECT_EQ(FloatsOf(*g, "w"), (std::vector<float>{1, 2, 3, 4}));
}

TEST_F(ExternalTest, RefusesWhatIsNotThere) {
  struct Case {
    const char *location, *offset, *length, *message;
  };
  const Case cases[] = {
      {"gone.bin", "0", "16", "does not exist"},
      {"../w.bin", "0", "16", "outside the model's folder"},
      {"/etc/passwd", "0", "16", "outside the model's folder"},
      {"a\\..\\..\\w.bin", "0", "16", "outside the model's folder"},
      {"", "0", "16", "outside the model's folder"},
      {"w.bin", "12", "16", "bytes 12 to 28 of w.bin, which has 24"},
      {"w.bin", "9223372036854775807", "16", "which has 24"},
      {"w.bin", "8", "12", "needs 4 elements, but its external data has 12 bytes"},
      {"w.bin", "-8", "16", "the offset of its external data is \"-8\""},
      {"w.bin", "8", "16x", "the length of its external data is \"16x\""},
  };
  for (const Case& c : cases) {
    const Result<Graph> g = LoadWith(c.location, c.offset, c.length);
    ASSERT_FALSE(g) << c.location;
    EXPECT_NE(g.error().message().find(c.message), std::string::npos) << g.error().message();
    EXPECT_NE(g.error().message().find("m.onnx: "), std::string::npos) << g.error().message();
  }
}

}  // namespace
}  // namespace pare::onnx
