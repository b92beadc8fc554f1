// What commands make of tables, labels, targets and outputs, and what they tell of it.
#include <boost/json.hpp>

#include "base/random.h"
#include "data/split.h"
#include "data/test_pictures.h"
#include "demo.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "platform/test_folder.h"

namespace pare {
namespace {

namespace json = boost::json;

using demo::kModel;

bool HasNote(const json::object& report, std::string_view part) {
  return Has(json::serialize(report.at("notes")), part);
}

double NumberOf(const json::value& value) { return value.to_number<double>(); }

TEST(Arrays, SamplesThatAreNoNumbersAreNamed) {
  const TestFolder folder;
  Tensor x = Tensor::Zeros(DType::kF32, {3, 3, 32, 32}).value();
  x.mutable_as<float>()[2 * 3 * 32 * 32 + 5] = NAN;
  const std::string file = folder / "x.npz";
  ASSERT_TRUE(data::SaveNpz(file, {{"input", x}, {"label", Tensor::Of<int64_t>({3}, {1, 2, 3})}}));
  const Ran ran = Pare({"evaluate", kModel, "--data", file});
  EXPECT_EQ(ran.code, 4);
  EXPECT_TRUE(Has(ran.err, "x.npz[2]: the array input: element 5 is nan")) << ran.err;
}

// Tokens of a table of four, the third sample's beyond it.
TEST(Arrays, SamplesWithTokensBeyondTheTableAreNamed) {
  const TestFolder folder;
  const std::string model =
      WriteModel(folder / "m.onnx",
                 "opset 17\ninput ids: i64[N,2]\nconst table: f32[4,3] = random(1, -1, 1)\n"
                 "e: f32[N,2,3] = Gather(table, ids)\n"
                 "const axis: i64[1] = [1]\n"
                 "y: f32[N,3] = ReduceMean(e, axis) {keepdims=0}\noutput y\n");
  const std::string file = folder / "x.npz";
  ASSERT_TRUE(data::SaveNpz(file, {{"ids", Tensor::Of<int64_t>({4, 2}, {0, 1, 2, 3, 7, 0, 1, 1})},
                                   {"label", Tensor::Of<int64_t>({4}, {1, 2, 0, 1})}}));
  const Ran alone = Pare({"evaluate", model, "--data", file});
  EXPECT_EQ(alone.code, 4);
  EXPECT_TRUE(Has(alone.err, "m.onnx: sample " + file + "[2]: node ")) << alone.err;
  EXPECT_TRUE(Has(alone.err, "an index is out of range (7)")) << alone.err;
  EXPECT_TRUE(Has(alone.err, "correct them")) << alone.err;
  const Arguments together = {"--data", file, "--batch", "4"};
  const Ran batch = Pare(Arguments{"evaluate", model} + together);
  EXPECT_TRUE(Has(batch.err, "samples " + file + "[0] to " + file + "[3]: node ")) << batch.err;
  EXPECT_TRUE(Has(batch.err, "with --batch 1 the message names the sample")) << batch.err;
  for (const char* command : {"bench", "profile"}) {
    const Ran ran = Pare(Arguments{command, model} + together);
    EXPECT_TRUE(Has(ran.err, "m.onnx: samples " + file + "[0] to ")) << ran.err;
  }
  const Ran trained = Pare(
      Arguments{"train", model, "-o", folder / "o.onnx", "--validation", "0", "--rate", "0.1"} +
      together);
  EXPECT_EQ(trained.code, 4);
  EXPECT_TRUE(Has(trained.err, "m.onnx: samples " + file + "[")) << trained.err;
  EXPECT_TRUE(Has(trained.err, "… (4 in all): node ")) << trained.err;
}

// Two classes: whether red or green is brighter.
TEST(Classes, OfFoldersAreStoredWhereTheyAreTheModels) {
  const TestFolder folder;
  auto graph = graph::Parse(
      "opset 17\ninput x: f32[N,3,2,2]\nconst w: f32[2,3,1,1] = [-3,3,0,3,-3,0]\n"
      "h: f32[N,2,2,2] = Conv(x, w)\nm: f32[N,2,1,1] = GlobalAveragePool(h)\n"
      "y: f32[N,2] = Flatten(m)\noutput y\n");
  ASSERT_TRUE(graph) << graph.error().message();
  const std::string model = folder / "m.onnx", small = folder / "int8.onnx";
  ASSERT_TRUE(onnx::Export(*graph, model));
  const auto picture = [](uint8_t red, uint8_t green) {
    std::vector<uint8_t> pixels;
    for (int i = 0; i < 4; ++i) pixels.insert(pixels.end(), {red, green, 7});
    return data::PngOf(Tensor::Of<uint8_t>({2, 2, 3}, pixels));
  };
  for (int i = 0; i < 24; ++i) {
    const auto dark = static_cast<uint8_t>(i), bright = static_cast<uint8_t>(200 + i);
    folder.Write(Text("data/grass/", i, ".png"), picture(dark, bright));
    folder.Write(Text("data/rose/", i, ".png"), picture(bright, dark));
    folder.Write(Text("part/rose/", i, ".png"), picture(bright, dark));
  }
  const Arguments how = {"--calibration", "20", "--target", "any", "--seconds", "0.01"};
  const Ran ran = Pare(Arguments{"quantize", model, "--data", folder / "data", "-o", small} + how);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(onnx::Import(small)->metadata.at("pare.classes"), "grass\nrose\n");
  // One folder alone would be no class at all.
  const Ran part = Pare({"evaluate", small, "--data", folder / "part", "--json"});
  ASSERT_EQ(part.code, 0) << part.err;
  EXPECT_EQ(part.object().at("top1").to_number<double>(), 100);

  const Ran few = Pare({"evaluate", kModel, "--data", folder / "data", "--limit", "2"});
  EXPECT_TRUE(Has(few.err,
                  "the data has 2 classes and the model 10: they are numbered in "
                  "alphabetical order from 0 on"))
      << few.err;
}

TEST(Csv, TheColumnOfTheLabelAndItsClassesAreStored) {
  const TestFolder folder;
  std::string all = "p,q,kind\n", some = "p,q,kind\n";
  for (int i = 0; i < 60; ++i) {
    const std::string row = i % 3 == 0   ? Text("0.", i, ",-1,low\n")
                            : i % 3 == 1 ? Text("1,0.", i, ",mid\n")
                                         : Text("-1,1.", i, ",high\n");
    all += row;
    if (i % 3 != 2) some += row;  // without "high", the first by name
  }
  // Scores high, low, mid: p ≈ −1, q ≈ −1, p ≈ 1.
  auto graph = graph::Parse(
      "opset 17\ninput x: f32[N,2]\nconst w: f32[2,3] = [-3,0,3,3,-3,0]\n"
      "y: f32[N,3] = MatMul(x, w)\noutput y\n");
  ASSERT_TRUE(graph) << graph.error().message();
  const std::string model = folder / "m.onnx", small = folder / "int8.onnx";
  ASSERT_TRUE(onnx::Export(*graph, model));
  const std::string table = folder.Write("all.csv", all), part = folder.Write("part.csv", some);
  const Ran quantized = Pare({"quantize", model, "--data", table, "--label", "kind", "-o", small,
                              "--calibration", "20", "--target", "any", "--seconds", "0.01"});
  ASSERT_EQ(quantized.code, 0) << quantized.err;
  for (const std::string& data : {table, part}) {
    const Ran ran = Pare({"evaluate", small, "--data", data, "--json"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.object().at("top1").to_number<double>(), 100) << data;
  }
  // Without a label there is nothing to score, but enough to compare.
  const std::string bare = folder.Write("bare.csv", "p,q\n1,0\n-1,1\n");
  EXPECT_EQ(Pare({"evaluate", small, "--data", bare}).code, 2);
  const Ran compared =
      Pare({"compare", model, small, "--data", bare, "--seconds", "0.01", "--json"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  EXPECT_TRUE(Has(compared.err, "in a column 'kind'")) << compared.err;
  EXPECT_TRUE(compared.object().at("quality").at("top1_a").is_null());
}

// The class is the largest of four columns.
const char* const kFourClasses = R"(
opset 17
input x: f32[N,4]
const w: f32[4,4] = [1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1]
y: f32[N,4] = MatMul(x, w)
output y
)";

TEST(TableLabels, KeepTheirNumbersWhereAClassIsMissing) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", kFourClasses);
  for (const char* point : {"", ".0"}) {
    const std::string table = folder.Write(
        "t.csv",
        Text("a,b,c,d,y\n1,0,0,0,0", point, "\n0,1,0,0,1", point, "\n0,0,0,1,3", point, '\n'));
    const Ran ran = Pare({"evaluate", model, "--data", table, "--label", "y", "--json"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(NumberOf(ran.object().at("top1")), 100) << "the last is class 3, and not 2";
    EXPECT_TRUE(HasNote(ran.object(), "taken for the classes themselves: none is 2")) << ran.out;
    EXPECT_FALSE(Has(ran.err, "--label-offset")) << ran.err;
  }
}

TEST(TableLabels, ThatAreNamesAreNumberedInOrderAndToldOf) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", kFourClasses);
  const std::string table =
      folder.Write("t.csv", "a,b,c,d,y\n1,0,0,0,ant\n0,1,0,0,bee\n0,0,1,0,cow\n");
  const Ran ran = Pare({"evaluate", model, "--data", table, "--label", "y", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(NumberOf(ran.object().at("top1")), 100);
  EXPECT_TRUE(
      HasNote(ran.object(), "3 classes and the model 4: they are numbered in alphabetical"));
  EXPECT_TRUE(HasNote(ran.object(), "--classes FILE gives the model's order"));
  const std::string ones = folder.Write("ones.csv", "a,b,c,d,y\n1,0,0,0,1\n0,0,0,1,4\n");
  EXPECT_TRUE(Has(Pare({"evaluate", model, "--data", ones, "--label", "y"}).err,
                  "count from 1, give --label-offset -1"));
}

// A model that learned numbers names no classes that names could be held against.
TEST(TableLabels, ThatAreNamesAreToldOfWhereTheModelHasNone) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", kFourClasses);
  const std::string rows = "a,b,c,d,y\n1,0,0,0,dog\n0,1,0,0,cow\n0,0,1,0,bee\n0,0,0,1,ant\n";
  const std::string table = folder.Write("t.csv", rows);
  const Ran ran = Pare({"evaluate", model, "--data", table, "--label", "y", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(NumberOf(ran.object().at("top1")), 0);
  EXPECT_TRUE(HasNote(ran.object(), "in alphabetical order: 0 ant, 1 bee, 2 cow, 3 dog; --classes"))
      << ran.out;
  const std::string names = folder.Write("names.txt", "dog\ncow\nbee\nant\n");
  const Ran named =
      Pare({"evaluate", model, "--data", table, "--label", "y", "--classes", names, "--json"});
  ASSERT_EQ(named.code, 0) << named.err;
  EXPECT_EQ(NumberOf(named.object().at("top1")), 100);
  EXPECT_FALSE(HasNote(named.object(), "alphabetical")) << named.out;
}

// By every command that asks for them.
TEST(Npz, TellsWhyAnArrayOfLabelsIsNone) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", kFourClasses), file = folder / "x.npz",
                    output = folder / "o.onnx";
  const Tensor x = Tensor::Of<float>({2, 4}, {1, 0, 0, 0, 0, 1, 0, 0});
  const auto errors = [&](const char* name, const Tensor& labels) {
    EXPECT_TRUE(data::SaveNpz(file, {{"x", x}, {name, labels}}));
    std::vector<std::string> all;
    for (const Arguments& command :
         {Arguments{"evaluate", model}, Arguments{"train", model, "-o", output},
          Arguments{"distill", "--teacher", model, "--student", model, "-o", output, "--alpha",
                    "0.5"}}) {
      const Ran ran = Pare(command + Arguments{"--data", file});
      EXPECT_EQ(ran.code, 2) << ran.err;
      all.push_back(ran.err);
    }
    return all;
  };
  for (const std::string& error : errors("y", x))
    EXPECT_TRUE(Has(error, "no labels: the array y is one-hot [2,4]") && Has(error, "numpy.argmax"))
        << error;
  for (const std::string& error : errors("y", Tensor::Of<float>({2}, {0.5, 1})))
    EXPECT_TRUE(Has(error, "the array y holds none, for its number 0 is 0.5")) << error;
  for (const std::string& error : errors("labels", Tensor::Of<float>({2, 2}, {1, 1, 0, 1})))
    EXPECT_TRUE(Has(error, "the array labels has the shape [2,2]")) << error;
  for (const std::string& error : errors("target", Tensor::Of<int64_t>({2}, {0, 1})))
    EXPECT_TRUE(Has(error, "(x, target) none is named label, labels or y") ||
                Has(error, "(target, x) none is named label, labels or y"))
        << error;
}

// Whole numbers of a float type are labels.
TEST(Npz, TakesFloatsThatAreWhole) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", kFourClasses), file = folder / "x.npz";
  ASSERT_TRUE(data::SaveNpz(file, {{"x", Tensor::Of<float>({2, 4}, {1, 0, 0, 0, 0, 1, 0, 0})},
                                   {"y", Tensor::Of<float>({2}, {0, 1})}}));
  const Ran ran = Pare({"evaluate", model, "--data", file, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(NumberOf(ran.object().at("top1")), 100);
}

TEST(TableColumns, GoToTheInputsOfTheirNames) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", R"(
opset 17
input low: f32[N,1]
input high: f32[N,1]
y: f32[N,2] = Concat(low, high) {axis=1}
output y
)");
  const std::string table = folder.Write("t.csv", "high,id,low,y\n2,7,1,1\n0,8,1,0\n5,9,3,1\n");
  const Ran ran = Pare({"evaluate", model, "--data", table, "--label", "y", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(NumberOf(ran.object().at("top1")), 100);
  EXPECT_TRUE(HasNote(ran.object(), "left out: id")) << ran.out;
  const std::string others = folder.Write("o.csv", "high,deep,y\n2,1,1\n");
  EXPECT_TRUE(Has(Pare({"evaluate", model, "--data", others, "--label", "y"}).err,
                  "the model has the inputs low, high"));
}

TEST(TableColumns, AreKnownToTheFilesThatAreWritten) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", kFourClasses), out = folder / "o.onnx";
  std::string rows = "a,b,c,d,y\n";
  for (int i = 0; i < 32; ++i)
    rows += Text(i % 4 == 0, ',', i % 4 == 1, ',', i % 4 == 2, ',', i % 4 == 3, ',', i % 4, '\n');
  const std::string table = folder.Write("t.csv", rows);
  const Ran trained = Pare({"train", model, "--data", table, "--label", "y", "-o", out, "--steps",
                            "2", "--batch", "8", "--quiet"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(onnx::Import(out)->metadata.at("pare.columns"), "a\nb\nc\nd\n");
  // In another order, with one that the model doesn't know.
  const std::string turned = folder.Write("u.csv", "d,y,e,c,b,a\n1,3,9,0,0,0\n0,0,9,0,0,1\n");
  const Ran ran = Pare({"evaluate", out, "--data", turned, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(NumberOf(ran.object().at("top1")), 100);
  const std::string others = folder.Write("v.csv", "p,q,r,s,y\n1,0,0,0,0\n0,0,0,1,3\n");
  const Ran refused = Pare({"evaluate", out, "--data", others});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(Has(refused.err, "v.csv: has no column a, b, c, d")) << refused.err;
  const Ran by_place = Pare({"evaluate", out, "--data", others, "--by-position", "--json"});
  ASSERT_EQ(by_place.code, 0) << by_place.err;
  EXPECT_EQ(NumberOf(by_place.object().at("top1")), 100);
  // One that is missing is named, also where the number of columns would tell of it.
  const std::string few = folder.Write("w.csv", "a,b,d,y\n1,0,0,0\n0,0,1,3\n");
  EXPECT_TRUE(Has(Pare({"evaluate", out, "--data", few}).err, "w.csv: has no column c,"));
  const std::string bare = folder.Write("x.csv", "1,0,0,0\n0,0,0,1\n");
  const Ran headless = Pare({"compare", out, out, "--data", bare, "--seconds", "0.01", "--json"});
  ASSERT_EQ(headless.code, 0) << headless.err;
  EXPECT_TRUE(HasNote(headless.object(), "the columns are taken by their places")) << headless.out;
}

TEST(TableColumns, AreKnownWhereOneOfTheModelsStoresThem) {
  const TestFolder folder;
  const std::string bare = WriteModel(folder / "m.onnx", kFourClasses);
  const auto store = [&](const char* name, const char* columns) {
    graph::Graph graph = graph::Parse(kFourClasses).value();
    graph.metadata = {{"pare.columns", columns}, {"pare.label", "y"}};
    const std::string path = folder / name;
    EXPECT_TRUE(onnx::Export(graph, path));
    return path;
  };
  const std::string knows = store("knows.onnx", "a\nb\nc\nd\n");
  const std::string other = store("other.onnx", "b\na\nc\nd\n");
  std::string rows = "d,y,c,b,a\n";
  for (int i = 0; i < 16; ++i)
    rows += Text(i % 4 == 3, ',', i % 4, ',', i % 4 == 2, ',', i % 4 == 1, ',', i % 4 == 0, '\n');
  const std::string table = folder.Write("t.csv", rows);
  const std::string lacking = folder.Write("u.csv", "p,y,c,b,a\n1,3,0,0,0\n");
  const Arguments seconds = {"--seconds", "0.01", "--json"};
  const auto distill = [&](const std::string& teacher, const std::string& student,
                           const std::string& data) {
    return Pare({"distill", "--teacher", teacher, "--student", student, "--data", data, "-o",
                 folder / "o.onnx", "--steps", "1", "--batch", "4", "--quiet"});
  };
  for (const auto& [a, b] : {std::pair(bare, knows), std::pair(knows, bare)}) {
    const Ran ran = Pare(Arguments{"compare", a, b, "--data", table} + seconds);
    ASSERT_EQ(ran.code, 0) << ran.err;
    const Ran refused = Pare(Arguments{"compare", a, b, "--data", lacking} + seconds);
    EXPECT_EQ(refused.code, 2);
    EXPECT_TRUE(Has(refused.err, "u.csv: has no column d")) << refused.err;
    EXPECT_EQ(distill(a, b, table).code, 0);
    EXPECT_EQ(onnx::Import(folder / "o.onnx")->metadata.at("pare.columns"), "a\nb\nc\nd\n");
    EXPECT_TRUE(Has(distill(a, b, lacking).err, "u.csv: has no column d"));
  }
  const Ran differ = Pare(Arguments{"compare", knows, other, "--data", table} + seconds);
  EXPECT_EQ(differ.code, 2);
  EXPECT_TRUE(Has(differ.err, "was made with the columns b, a, c, d, and ")) << differ.err;
  EXPECT_EQ(distill(other, knows, table).code, 2);
  const std::string places = folder.Write("v.csv", "a,b,c,d\n1,0,0,0\n0,0,0,1\n");
  EXPECT_EQ(
      Pare(Arguments{"compare", knows, other, "--data", places, "--by-position"} + seconds).code,
      0);
}

TEST(Batches, LargerThanWhatQuantizesAreToldOf) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", kFourClasses);
  std::string rows = "a,b,c,d\n";
  for (int i = 0; i < 20; ++i) rows += Text(std::sin(i), ',', std::cos(i), ',', i % 3, ",1\n");
  const auto quantize = [&](const char* batch) {
    const Ran ran =
        Pare({"quantize", model, "--data", folder.Write("t.csv", rows), "-o", folder / "o.onnx",
              "--target", "any", "--seconds", "0.01", "--batch", batch, "--json"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    return HasNote(ran.object(), Text("--batch ", batch, ": 10 samples calibrate and 10 verify"));
  };
  EXPECT_TRUE(quantize("11"));
  EXPECT_FALSE(quantize("10"));
}

// y = 2·x + 1, and targets that are off by 0, 1, 0, 1, …
class Values : public ::testing::Test {
 protected:
  Values() {
    std::string rows = "x\n", targets = "t\n";
    for (int i = 0; i < 20; ++i) {
      rows += Text(i, '\n');
      targets += Text(2 * i + 1 + i % 2, '\n');
    }
    table_ = folder_.Write("x.csv", rows);
    targets_ = folder_.Write("t.csv", targets);
  }
  std::string Model(const char* name, const char* slope) {
    return WriteModel(folder_ / name,
                      Text("opset 17\ninput x: f32[N,1]\nconst w: f32[1,1] = [", slope,
                           "]\nconst b: f32[1] = [1]\ny: f32[N,1] = Gemm(x, w, b)\n"
                           "output y\n"));
  }

  const TestFolder folder_;
  std::string table_, targets_;
};

TEST_F(Values, AreEvaluatedAgainstTargets) {
  const std::string model = Model("m.onnx", "2");
  const Arguments evaluate = {"evaluate", model, "--data", table_, "--targets", targets_};
  Arguments in_json = evaluate;
  in_json.push_back("--json");
  const Ran ran = Pare(in_json);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  EXPECT_NEAR(NumberOf(report.at("mae")), 0.5, 1e-6);
  EXPECT_NEAR(NumberOf(report.at("rmse")), std::sqrt(0.5), 1e-6);
  // Σ (t − mean)² of 2·i + i % 2: 4·665 + 4·5 + 5.
  EXPECT_NEAR(NumberOf(report.at("r2")), 1 - 10 / 2685.0, 1e-6);
  EXPECT_EQ(report.at("count").as_int64(), 20);
  EXPECT_TRUE(report.at("top1").is_null());
  const Ran people = Pare(evaluate);
  for (const char* part : {"R²", "0.99628", "mean absolute error", "0.5", "samples"}) {
    EXPECT_TRUE(Has(people.out, part)) << people.out;
  }
  EXPECT_TRUE(Has(Pare({"evaluate", model, "--data", table_}).err, "--targets FILE"));
  const Ran trained = Pare({"train", model, "--data", table_, "-o", folder_ / "o.onnx"});
  EXPECT_EQ(trained.code, 2);
  EXPECT_TRUE(Has(trained.err, "--targets FILE")) << trained.err;
  const std::string few = folder_.Write("few.csv", "t\n1\n");
  EXPECT_EQ(Pare({"evaluate", model, "--data", table_, "--targets", few}).code, 2);
}

TEST_F(Values, OfTwoModelsAreComparedAgainstTargets) {
  const Arguments compare = {"compare",
                             Model("a.onnx", "2"),
                             Model("b.onnx", "3"),
                             "--data",
                             table_,
                             "--targets",
                             targets_,
                             "--seconds",
                             "0.01"};
  Arguments in_json = compare;
  in_json.push_back("--json");
  const Ran ran = Pare(in_json);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object quality = ran.object().at("quality").as_object();
  EXPECT_EQ(quality.at("metric").as_string(), "mse");
  EXPECT_NEAR(NumberOf(quality.at("mae_a")), 0.5, 1e-6);
  EXPECT_NEAR(NumberOf(quality.at("mae_b")), 9, 1e-5);  // |i − i % 2|: 0, 0, 2, 2, …
  EXPECT_GT(NumberOf(quality.at("r2_a")), NumberOf(quality.at("r2_b")));
  EXPECT_TRUE(Has(Pare(compare).out, "RMSE"));
}

// u = a − 2·b, v = b, among columns that are no inputs.
class TargetColumns : public ::testing::Test {
 protected:
  TargetColumns() {
    std::string rows = "u,a,v,b\n";
    for (int i = 0; i < 240; ++i) {
      const double a = std::sin(i), b = std::cos(3 * i);
      rows += Text(a - 2 * b, ',', a, ',', b, ',', b, '\n');
    }
    table_ = folder_.Write("t.csv", rows);
    model_ = WriteModel(folder_ / "m.onnx",
                        "opset 17\ninput x: f32[N,2]\nconst w: f32[2,2] = random(1, -0.5, 0.5)\n"
                        "y: f32[N,2] = MatMul(x, w)\noutput y\n");
  }
  // `columns` of the table at `path` are the targets.
  Ran Train(const std::string& path, const std::string& columns, const Arguments& more = {}) const {
    return Pare(Arguments{"train", model_, "--data", path, "--target-columns", columns, "-o",
                          folder_ / "o.onnx", "--epochs", "150", "--batch", "16", "--json"} +
                more);
  }

  const TestFolder folder_;
  std::string table_, model_;
};

TEST_F(TargetColumns, AreLearnedAndKnownToTheFilesThatAreWritten) {
  const Ran trained = Train(table_, "u,v");
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(trained.object().at("score").as_string(), "r2");
  EXPECT_GT(NumberOf(trained.object().at("score_after")), 0.999);
  const std::string out = folder_ / "o.onnx", small = folder_ / "int8.onnx";
  EXPECT_EQ(onnx::Import(out)->metadata.at("pare.targets"), "u\nv\n");
  EXPECT_EQ(onnx::Import(out)->metadata.at("pare.columns"), "a\nb\n");
  const Ran evaluated = Pare({"evaluate", out, "--data", table_, "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_GT(NumberOf(evaluated.object().at("r2")), 0.999);
  const Ran untrained =
      Pare({"evaluate", model_, "--data", table_, "--target-columns", "u,v", "--json"});
  ASSERT_EQ(untrained.code, 0) << untrained.err;
  EXPECT_LT(NumberOf(untrained.object().at("r2")), 0.9);
  const Ran compared =
      Pare({"compare", model_, out, "--data", table_, "--seconds", "0.01", "--json"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  EXPECT_NEAR(NumberOf(compared.object().at("quality").as_object().at("r2_a")),
              NumberOf(untrained.object().at("r2")), 1e-5);
  // Later tables may have no targets: that is told.
  const std::string bare = folder_.Write("u.csv", "a,b\n1,2\n");
  EXPECT_TRUE(Has(Pare({"evaluate", out, "--data", bare}).err, "the model's were in u, v"));
}

TEST_F(TargetColumns, AreStoredByNameUntilAFileTakesTheirPlace) {
  ASSERT_EQ(Train(table_, "0,2").code, 0);
  EXPECT_EQ(onnx::Import(folder_ / "o.onnx")->metadata.at("pare.targets"), "u\nv\n");
  ASSERT_TRUE(data::SaveNpy(folder_ / "y.npy", Tensor::Zeros(DType::kF32, {240, 2}).value()));
  const Arguments apart = {"--data",          table_, "--targets",
                           folder_ / "y.npy", "-o",   folder_ / "p.onnx"};
  for (const Arguments& command :
       {Arguments{"train", folder_ / "o.onnx", "--epochs", "1"},
        Arguments{"quantize", folder_ / "o.onnx", "--target", "any", "--seconds", "0.01"}}) {
    const Ran ran = Pare(command + apart);
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_FALSE(onnx::Import(folder_ / "p.onnx")->metadata.contains("pare.targets"));
  }
}

TEST_F(TargetColumns, LimitWhatAQuantizationMayLose) {
  ASSERT_EQ(Train(table_, "u,v").code, 0);
  const auto quantize = [&](const std::string& model, const std::string& data,
                            const Arguments& more) {
    return Pare(Arguments{"quantize", model, "--data", data, "-o", folder_ / "int8.onnx",
                          "--target", "any", "--seconds", "0.01", "--json"} +
                more);
  };
  const Ran held = quantize(folder_ / "o.onnx", table_, {"--max-drop", "1"});
  ASSERT_EQ(held.code, 0) << held.err;
  const json::object quality = held.object().at("quality").as_object();
  EXPECT_EQ(quality.at("metric").as_string(), "mse");
  EXPECT_GT(NumberOf(quality.at("r2_b")), 0.98);
  EXPECT_NE(NumberOf(quality.at("r2_b")), NumberOf(quality.at("r2_a")));
  const Ran unmet = quantize(folder_ / "o.onnx", table_, {"--max-drop", "-1"});
  EXPECT_EQ(unmet.code, 1);
  EXPECT_TRUE(Has(unmet.err, "--max-drop -1 can't be held")) << unmet.err;
  EXPECT_FALSE(Has(unmet.err, "of which one is")) << unmet.err;
  std::string same = "a,b,t\n";
  for (int i = 0; i < 40; ++i) same += Text(std::sin(i), ',', std::cos(i), ",1\n");
  const std::string regressor =
      WriteModel(folder_ / "r.onnx",
                 "opset 17\ninput x: f32[N,2]\nconst w: f32[2,1] = [1, 2]\n"
                 "y: f32[N,1] = MatMul(x, w)\noutput y\n");
  const std::string constant = folder_.Write("same.csv", same);
  EXPECT_TRUE(Has(quantize(regressor, constant, {"--max-drop", "1", "--target-columns", "t"}).err,
                  "are all the same, and have no R²"));
  // Without targets nothing can be limited, and the advice says how it can.
  const Ran refused =
      quantize(regressor, folder_.Write("x.csv", "a,b\n1,2\n"), {"--max-drop", "1"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_TRUE(Has(refused.err, "--target-columns make it a limit of R²")) << refused.err;
}

// Every second verification sample steers, and has the model's own answer for a target. What the
// range of b leaves of a is too little, so that one layer goes back to float.
TEST(MaxDrop, IsUnmetWhereTheTargetsThatVerifyAreTheSame) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", R"(
opset 17
input x: f32[N,2]
const w0: f32[2,3] = [1, -1, 0.55, 0.035, 0.0215, -0.05]
const w1: f32[3,1] = [0.3, -0.8, 0.61]
h: f32[N,3] = MatMul(x, w0)
r: f32[N,3] = Relu(h)
y: f32[N,1] = MatMul(r, w1)
output y
)");
  std::string rows = "a,b\n";
  Tensor targets = Tensor::Zeros(DType::kF32, {240, 1}).value();
  const std::span<float> answers = targets.mutable_as<float>();
  for (int i = 0; i < 240; ++i) {
    const double a = std::sin(i), b = std::cos(3 * i);
    rows += Text(a, ',', 20 * b, '\n');
    answers[static_cast<size_t>(i)] =
        static_cast<float>(0.3 * std::max(0.0, a + 0.7 * b) - 0.8 * std::max(0.0, -a + 0.43 * b) +
                           0.61 * std::max(0.0, 0.55 * a - b));
  }
  const std::string table = folder.Write("x.csv", rows);
  const auto quantize = [&](const Arguments& more) {
    EXPECT_TRUE(data::SaveNpy(folder / "y.npy", targets));
    return Pare(Arguments{"quantize", model, "--data", table, "-o", folder / "q.onnx", "--targets",
                          folder / "y.npy", "--calibration", "40", "--target", "any", "--seconds",
                          "0.01", "--json"} +
                more);
  };
  const json::object quality = quantize({}).object().at("quality").as_object();
  const double drop = 100 * (NumberOf(quality.at("r2_a")) - NumberOf(quality.at("r2_b")));
  ASSERT_GT(drop, 0);
  const Arguments limit = {"--max-drop", Text(0.25 * drop)};
  EXPECT_EQ(quantize(limit).code, 0);
  const auto split = data::SplitDataset(*data::OpenDataset(table).value(), {.calibration = 40});
  for (size_t i = 1; i < split->verification.size(); i += 2)
    answers[static_cast<size_t>(split->verification[i])] = 1;
  const Ran ran = quantize(limit);
  EXPECT_EQ(ran.code, 1) << ran.out;
  EXPECT_TRUE(Has(ran.err, "was not verified: the targets of the 100 samples")) << ran.err;
}

TEST_F(TargetColumns, ThatLackACellAreToldBeforeTheWork) {
  const std::string model = WriteModel(folder_ / "linear.onnx", R"(opset 13
input x: f32[N,2]
const w: f32[2,1] = [1,-1]
y: f32[N,1] = MatMul(x, w)
output y
)");
  std::string rows = "a,b\n", values = "y\n";
  for (int i = 0; i < 60; ++i) {
    rows += Text(i % 7, ",", i % 5, "\n");
    values += i % 20 == 3 ? "\n" : Text(i % 7 - i % 5, "\n");
  }
  const Ran ran = Pare({"quantize", model, "--data", folder_.Write("x.csv", rows), "--targets",
                        folder_.Write("y.csv", values), "-o", folder_ / "q.onnx"});
  EXPECT_EQ(ran.code, 4) << ran.err;
  EXPECT_TRUE(Has(ran.err, "y.csv: line ")) << ran.err;
  EXPECT_FALSE(Has(ran.err, "calibrating")) << ran.err;
  // As many as the model's output has.
  values.clear();
  for (int i = 0; i < 60; ++i) values += "1,2\n";
  const Ran wide = Pare({"quantize", model, "--data", folder_ / "x.csv", "--targets",
                         folder_.Write("w.csv", "y,z\n" + values), "-o", folder_ / "q.onnx"});
  EXPECT_EQ(wide.code, 2) << wide.err;
  EXPECT_TRUE(Has(wide.err, "has 2 values, and the model's first output 1")) << wide.err;
  EXPECT_FALSE(Has(wide.err, "calibrating")) << wide.err;
}

TEST_F(TargetColumns, ThatDoNotFitAreNamed) {
  EXPECT_TRUE(Has(Train(table_, "u,w").err, "t.csv: there is no column 'w'"));
  std::string few = "a,b,u\n";
  for (int i = 0; i < 4; ++i) few += "1,2,3\n";
  const Ran narrow = Train(folder_.Write("n.csv", few), "u");
  EXPECT_TRUE(Has(narrow.err, "n.csv: line ")) << narrow.err;
  EXPECT_TRUE(Has(narrow.err, "has 1 values, and the model's first output 2")) << narrow.err;
  EXPECT_TRUE(Has(Train(table_, "u").err, "a sample is the columns a, v, b; the model"));
  EXPECT_TRUE(Has(Train(table_, "u,,v").err, "with commas between them"));
  const std::string holes = folder_.Write("h.csv", "a,b,u,v\n1,2,3,4\n1,2,,4\n1,2,3,4\n");
  EXPECT_TRUE(Has(Train(holes, "u,v").err, "h.csv: line 3: column u is ''"));
  EXPECT_TRUE(Has(Train(table_, "u,v", {"--targets", table_}).err, "are both given"));
  EXPECT_TRUE(Has(Train(table_, "u,v", {"--smoothing", "0.1"}).err, "leave it out"));
  EXPECT_TRUE(
      Has(Pare({"evaluate", kModel, "--data", demo::kPictures, "--target-columns", "y"}).err,
          "--targets FILE brings values"));
}

TEST(Outputs, TheFirstOfSeveralIsNamed) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", R"(
opset 17
input x: f32[N,2]
scores: f32[N,2] = Relu(x)
spare: f32[N,2] = Neg(x)
output scores
output spare
)");
  const std::string table = folder.Write("t.csv", "a,b,y\n1,0,0\n0,1,1\n");
  const Ran ran = Pare({"evaluate", model, "--data", table, "--label", "y", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(NumberOf(ran.object().at("top1")), 100);
  EXPECT_TRUE(HasNote(ran.object(), "the first, \\\"scores\\\", is taken for the scores"))
      << ran.out;
  EXPECT_TRUE(HasNote(ran.object(), "and not \\\"spare\\\"")) << ran.out;
}

// Sums of two products of up to 255 · 127 don't fit 16 bits.
TEST(Saturation, IsReportedBesideThisEnginesFigures) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "m.onnx", R"(
opset 17
input x: f32[N,32]
const w: f32[32,8] = random(3, 0.9, 1)
y: f32[N,8] = MatMul(x, w)
output y
)");
  std::string rows;
  Random random(7);
  for (int i = 0; i < 80; ++i) {
    for (int j = 0; j < 32; ++j) rows += Text(j > 0 ? "," : "", random.Uniform());
    rows += '\n';
  }
  const std::string table = folder.Write("t.csv", rows);
  const auto quantize = [&](const char* safe, Arguments more) {
    Arguments arguments = {
        "quantize", model,       "--data", table,           "-o", folder / "q.onnx", "--target",
        "any",      "--seconds", "0.01",   "--calibration", "40", "--overflow-safe", safe};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = Pare(arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran;
  };
  const json::object report = quantize("never", {"--json"}).object();
  const json::object saturation = report.at("saturation").as_object();
  EXPECT_EQ(saturation.at("samples").as_int64(), 40);
  EXPECT_LT(NumberOf(saturation.at("snr_db_saturating")), NumberOf(saturation.at("snr_db")) - 10);
  EXPECT_LT(NumberOf(saturation.at("agreement_saturating")), 100);
  EXPECT_TRUE(HasNote(report, "on engines without VNNI")) << json::serialize(report.at("notes"));
  EXPECT_TRUE(Has(quantize("never", {}).out, "--overflow-safe always"));

  const json::object safe = quantize("always", {"--json"}).object();
  EXPECT_TRUE(safe.at("saturation").is_null()) << "no layer of 8 bits is left";
  EXPECT_FALSE(HasNote(safe, "VNNI"));
}

}  // namespace
}  // namespace pare
