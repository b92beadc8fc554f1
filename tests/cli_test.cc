// The program from its command line to its files and its exit code, in this process.
#include <boost/json/src.hpp>
#include <fstream>
#include <sstream>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "data/test_pictures.h"
#include "graph/text.h"
#include "onnx/export.h"
#include "onnx/import.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "running.h"
#include "running_pare.h"

namespace pare {
namespace {

namespace json = boost::json;

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

const std::string kModel = SourcePath("examples/demo/resnet20_cifar10_fp32.onnx");
const std::string kPictures = SourcePath("examples/demo/cifar10_test_2000.bin");
const std::string kOther = SourcePath("tests/models/attention_block.onnx");
const Arguments kData = {"--data", kPictures};
const Arguments kPreprocessing = {"--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"};

TEST(CommandLine, ListsItsCommands) {
  for (const Arguments& arguments : {Arguments{}, {"--help"}, {"help"}}) {
    const Ran ran = Pare(arguments);
    EXPECT_EQ(ran.code, 0);
    for (const cli::Command* command : cli::AllCommands()) {
      EXPECT_TRUE(Has(ran.out, Text("\n  ", command->name, ' '))) << command->name;
    }
    EXPECT_TRUE(Has(ran.out, "130  interrupted"));
  }
}

TEST(CommandLine, RefusesAnInstructionSetThatIsNone) {
  ASSERT_EQ(setenv("PARE_ISA", "avx3", 1), 0);
  const Ran ran = Pare({"inspect", kModel});
  unsetenv("PARE_ISA");
  EXPECT_EQ(ran.code, 2);
  for (const char* part : {"PARE_ISA", "'avx3'", "scalar, avx2,", "neondot"}) {
    EXPECT_TRUE(Has(ran.err, part)) << ran.err;
  }
}

TEST(CommandLine, HelpOfEachCommandHasAnExample) {
  for (const cli::Command* command : cli::AllCommands()) {
    const std::string name(command->name);
    const Ran ran = Pare({name, "--help"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_TRUE(Has(ran.out, "usage: pare " + name));
    EXPECT_TRUE(Has(ran.out, "examples:\n  pare " + name));
    EXPECT_TRUE(Has(ran.out, "--json"));
    EXPECT_EQ(ran.out, Pare({"help", name}).out);
  }
}

TEST(CommandLine, ErrorsHaveAReasonAWayOutAndACode) {
  const TestFolder folder;
  const std::string garbage = folder.Write("garbage.onnx", "this is no model");
  const std::string out = folder / "out.onnx";
  const struct {
    Arguments arguments;
    int code;
    std::string_view message;
  } kCases[] = {
      {{"quantise"}, 2, "is quantize meant?"},
      {{"--quiet", "bench"}, 2, "the command is missing"},
      {{"bench", kModel, "--thread", "1"}, 2, "is --threads meant?"},
      {{"bench"}, 2, "MODEL is missing"},
      {{"inspect", folder / "none.onnx"}, 3, "none.onnx"},
      {{"bench", folder / "none.onnx"}, 3, "none.onnx"},
      {{"inspect", garbage}, 4, "garbage.onnx: is a text, and no ONNX file"},
      {{"inspect", folder.path()}, 2, "name a file in it"},
      {{"evaluate", kModel, "--data", folder / "none"}, 3, "none"},
      {{"evaluate", kModel, "--data", kPictures, "--std", "0"}, 2, "--std"},
      {{"compare", kModel, garbage, "--data", kPictures}, 4, "garbage.onnx"},
      {{"quantize", kModel, "--data", kPictures}, 2, "-o, --output FILE is missing"},
      {{"quantize", kModel, "--data", kPictures, "-o", kModel}, 2, "would be overwritten"},
      {{"quantize", kModel, "--data", kPictures, "-o", kPictures}, 2, "would be overwritten"},
      {{"quantize", kModel, "--data", kPictures, "-o", folder.path()}, 2, "it is a folder"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--calibrator", "best"},
       2,
       "--calibrator"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--keep-float", "*"},
       5,
       "no layer of the model"},
      {{"quantize", kModel, "--data", kPictures, "-o", folder / "none/out.onnx"},
       3,
       "can't create"},
      {{"quantize", kModel, "--data", kPictures, "-o", "/dev/null"}, 2, "a pipe or device"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--max-drop", "101"}, 2, "not between"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--max-drop", "1", "--metric", "mse"},
       2,
       "leave it out"},
      {{"evaluate", kModel, "--data", kPictures, "--label-offset", "1"},
       2,
       "none of the model's 10 classes"},
      {{"evaluate", kModel, "--data", kPictures, "--labels", garbage}, 2, "no file of labels"},
      {{"evaluate", kModel, "--data", kPictures, "--label", "y"}, 2, "no columns"},
      {{"compare", kModel, kOther, "--data", kPictures}, 2, "their inputs are \"input\""},
      {{"run", kModel}, 2, "nothing is given for the input \"input\""},
      {{"bench", kModel, "--shape", "input=1x3x31x31"}, 2, "does not fit"},
      {{"bench", kModel, "--batch", "0"}, 2, "a whole number from 1 on"},
      {{"bench", kModel, "--seconds", "0"}, 2, "e.g. --seconds 2"},
      {{"bench", kModel, "--batch", "1", "--batch", "2"}, 2, "leave one of the two out"},
      {{"evaluate", kModel, "--data", kPictures, "--limit", "1e3"}, 2, "digits alone, e.g. 1000"},
      {{"evaluate", kModel, "--data", kPictures, "--bgr", "--rgb"}, 2, "--bgr is given as well"},
      {{"evaluate", kModel, "--data", folder.Write("one.png", "")}, 5, "put it in a folder"},
      {{"quantize", kModel, "--data", kPictures, "-o", "-"}, 2, "name a file"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--max-drop", "abc"}, 2, "e.g. 0.5"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--force", "--target", "native"},
       2,
       "leave one of the two out"},
  };
  for (const auto& [arguments, code, message] : kCases) {
    const Ran ran = Pare(arguments);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_TRUE(ran.err.starts_with("pare: ") || Has(ran.err, "\npare: ")) << ran.err;
    EXPECT_TRUE(Has(ran.err, message)) << ran.err;
    EXPECT_EQ(ran.out, "");

    const Ran machine = Pare(arguments + Arguments{"--json"});
    EXPECT_EQ(machine.code, code);
    const json::object error = machine.object().at("error").as_object();
    EXPECT_EQ(error.at("exit_code").as_int64(), code);
    EXPECT_TRUE(Has(
        std::string(error.at("message").as_string()) + std::string(error.at("advice").as_string()),
        message))
        << machine.out;
  }
  EXPECT_FALSE(FileExists(out));
}

TEST(CommandLine, DoctorAndVersionKnowTheMachine) {
  const json::object machine = Pare({"doctor", "--json"}).object();
  EXPECT_GE(machine.at("threads").as_int64(), 1);
  EXPECT_EQ(machine.at("isas").as_array().at(0).as_string(), "scalar");
  EXPECT_GT(machine.at("memory_bytes").as_int64(), 0);
  EXPECT_TRUE(Has(Pare({"doctor"}).out, "threads"));
  EXPECT_EQ(Pare({"version", "--json"}).object().at("version"), machine.at("version"));
  EXPECT_TRUE(Has(Pare({"--version"}).out, "pare "));
}

// One small quantization that several tests look at.
class Quantized : public ::testing::Test {
 protected:
  struct Job {
    TestFolder folder;
    std::string model = folder / "int8.onnx";
    Ran ran =
        Pare(Arguments{"quantize", kModel, "-o", model, "--calibration", "24", "--verification",
                       "64", "--limit", "200", "--target", "any", "--seconds", "0.1", "--json"} +
             kData + kPreprocessing);
  };
  static void SetUpTestSuite() { job_ = new Job(); }
  static void TearDownTestSuite() {
    delete job_;
    job_ = nullptr;
  }
  // By layer.
  static std::map<std::string, std::string> Reasons(const json::object& report) {
    std::map<std::string, std::string> reasons;
    for (const json::value& layer : report.at("layers").as_array()) {
      if (layer.at("reason").is_string())
        reasons[layer.at("name").as_string().c_str()] = layer.at("reason").as_string().c_str();
    }
    return reasons;
  }
  void SetUp() override { ASSERT_EQ(job_->ran.code, 0) << job_->ran.err; }

  static Job* job_;
};
Quantized::Job* Quantized::job_ = nullptr;

TEST_F(Quantized, ReportsWhatItCostsAndGains) {
  const json::object report = job_->ran.object();
  const json::object quality = report.at("quality").as_object();
  EXPECT_EQ(quality.at("count").as_int64(), 64);
  EXPECT_GT(quality.at("top1_a").to_number<double>(), 80);
  EXPECT_GT(quality.at("top1_b").to_number<double>(), 80);
  EXPECT_GT(quality.at("top5_b").to_number<double>(), 90);
  EXPECT_GT(quality.at("agreement").to_number<double>(), 90);
  for (const std::string share : {"top1_a", "top1_b", "agreement"}) {
    EXPECT_LT(quality.at(share + "_low").to_number<double>(),
              quality.at(share).to_number<double>());
    EXPECT_GE(quality.at(share + "_high").to_number<double>(),
              quality.at(share).to_number<double>());
  }
  EXPECT_LT(quality.at("top1_change_low").to_number<double>(),
            quality.at("top1_change_high").to_number<double>());
  EXPECT_GT(quality.at("cosine").to_number<double>(), 0.98);
  EXPECT_LT(report.at("bytes").at("b").as_int64(), report.at("bytes").at("a").as_int64() / 2);
  for (const char* side : {"a", "b"}) {
    const json::value& ms = report.at("time_ms").at(side);
    EXPECT_LE(ms.at("low").to_number<double>(), ms.at("median").to_number<double>());
    EXPECT_LE(ms.at("median").to_number<double>(), ms.at("high").to_number<double>());
  }
  EXPECT_GT(report.at("time_ms").at("speedup").to_number<double>(), 0);
  EXPECT_GT(report.at("seconds").at("quantize").to_number<double>(), 0);
  EXPECT_GT(report.at("seconds").at("verify").to_number<double>(), 0);
  EXPECT_GT(report.at("peak_memory_bytes").as_int64(), 0);
  EXPECT_EQ(report.at("calibration_samples").as_int64(), 24);

  int integer = 0, measured = 0;
  for (const json::value& layer : report.at("layers").as_array()) {
    integer += layer.at("precision").as_string().starts_with("int");
    measured += layer.at("snr_db").is_number();
    const bool kept = layer.at("precision").as_string() == "float32";
    EXPECT_TRUE(!kept || layer.at("reason").is_string()) << json::serialize(layer);
    for (const char* key : {"name", "op", "a_ms", "b_ms"})
      EXPECT_TRUE(layer.as_object().contains(key));
  }
  EXPECT_GE(integer, 20);
  EXPECT_GE(measured, 20);
}

TEST_F(Quantized, TheFileKnowsItsPreprocessingAndItsRun) {
  const auto graph = onnx::Import(job_->model);
  ASSERT_TRUE(graph) << graph.error().message();
  EXPECT_EQ(graph->metadata.at("pare.preprocess.mean"), "0.485,0.456,0.406");
  const json::object run = json::parse(graph->metadata.at("pare.run")).as_object();
  EXPECT_EQ(run.at("calibration").as_int64(), 24);
  EXPECT_EQ(run.at("data").as_string(), "cifar10_test_2000.bin");  // no folders of ours
  EXPECT_EQ(run.at("model").as_string(), "resnet20_cifar10_fp32.onnx");
  EXPECT_EQ(run.at("data_hash").as_string().size(), 16u);

  const Arguments evaluate = Arguments{"evaluate", job_->model, "--limit", "100", "--json"} + kData;
  const Ran stored = Pare(evaluate), given = Pare(evaluate + kPreprocessing);
  ASSERT_EQ(stored.code, 0) << stored.err;
  EXPECT_EQ(stored.object().at("count").as_int64(), 100);
  EXPECT_GT(stored.object().at("top1").to_number<double>(), 80);
  EXPECT_GT(stored.object().at("top1_low").to_number<double>(), 70);
  EXPECT_EQ(stored.object().at("top1"), given.object().at("top1"));
  // What is given goes before what is stored.
  const Ran other = Pare(evaluate + Arguments{"--mean", "9"});
  EXPECT_LT(other.object().at("top1").to_number<double>(), 50);
}

TEST_F(Quantized, ComparesWithWhatItCameFrom) {
  const Arguments compare =
      Arguments{"compare", kModel, job_->model, "--limit", "50", "--seconds", "0.1"} + kData;
  const Ran ran = Pare(compare + Arguments{"--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  // The preprocessing stored in B holds for A, which knows none.
  EXPECT_GT(report.at("quality").at("top1_a").to_number<double>(), 80);
  EXPECT_GT(report.at("quality").at("agreement").to_number<double>(), 90);
  EXPECT_TRUE(report.at("seconds").at("quantize").is_null());
  EXPECT_GE(report.at("layers").as_array().size(), 20u);
  EXPECT_EQ(Reasons(report), Reasons(job_->ran.object()));
  EXPECT_FALSE(Reasons(report).empty());
  const Ran people = Pare(compare + Arguments{"--layers", "--quiet"});
  EXPECT_TRUE(Has(people.out, "agreement") && Has(people.out, "SNR dB")) << people.out;
  EXPECT_EQ(people.err, "");
}

TEST_F(Quantized, ComparedLayersHaveThePrecisionThatTheyRunIn) {
  const std::string model = job_->folder / "mixed.onnx";
  const Ran ran = Pare(Arguments{"quantize", kModel, "-o", model, "--calibration", "8",
                                 "--verification", "16", "--limit", "40", "--target", "any",
                                 "--seconds", "0.01", "--keep-float", "*conv1*", "--json"} +
                       kData + kPreprocessing);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Ran compared = Pare(
      Arguments{"compare", kModel, model, "--limit", "16", "--seconds", "0.01", "--json"} + kData);
  ASSERT_EQ(compared.code, 0) << compared.err;
  const auto precisions = [](const json::object& report) {
    std::map<std::string, std::string> by_layer;
    for (const json::value& layer : report.at("layers").as_array())
      by_layer[layer.at("name").as_string().c_str()] = layer.at("precision").as_string().c_str();
    return by_layer;
  };
  const auto expected = precisions(ran.object());
  EXPECT_EQ(precisions(compared.object()), expected);
  EXPECT_GE(std::count_if(expected.begin(), expected.end(),
                          [](const auto& layer) { return layer.second == "float32"; }),
            9);
}

TEST_F(Quantized, AnswersAsAnEngineThatSaturates) {
  const Arguments compare =
      Arguments{"compare", kModel, job_->model, "--limit", "50", "--seconds", "0.1", "--json"} +
      kData;
  const Ran exact = Pare(compare), saturating = Pare(compare + Arguments{"--saturating"});
  ASSERT_EQ(saturating.code, 0) << saturating.err;
  EXPECT_FALSE(exact.object().at("saturating").as_bool());
  EXPECT_TRUE(saturating.object().at("saturating").as_bool());
  const json::object before = exact.object().at("quality").as_object(),
                     after = saturating.object().at("quality").as_object();
  EXPECT_EQ(before.at("top1_a"), after.at("top1_a"));
  EXPECT_NE(before.at("cosine"), after.at("cosine"));
  EXPECT_GT(after.at("agreement").to_number<double>(), 80);
}

TEST_F(Quantized, IsNotQuantizedTwice) {
  const Ran ran =
      Pare(Arguments{"quantize", job_->model, "-o", job_->folder / "again.onnx"} + kData);
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(Has(ran.err, "quantized already")) << ran.err;
}

TEST_F(Quantized, BenchesBesideTheFloatModel) {
  const Ran ran = Pare({"bench", kModel, "--vs", job_->model, "--seconds", "0.05", "--batch", "2",
                        "--threads", "1", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  for (const json::object& side : {report, report.at("b").as_object()}) {
    EXPECT_GE(side.at("median_ms").to_number<double>(), side.at("min_ms").to_number<double>());
    EXPECT_GE(side.at("high_ms").to_number<double>(), side.at("low_ms").to_number<double>());
    EXPECT_GT(side.at("load_ms").to_number<double>(), 0);
    EXPECT_GT(side.at("first_run_ms").to_number<double>(), 0);
    EXPECT_EQ(side.at("threads").as_int64(), 1);
    EXPECT_EQ(side.at("batch").as_int64(), 2);
  }
  EXPECT_GT(report.at("peak_memory_bytes").as_int64(), 0);
  EXPECT_GT(report.at("speedup").to_number<double>(), 0);
  EXPECT_TRUE(report.at("notes").is_array() && report.contains("busy_elsewhere"));
}

// y = x·w with one output a sample, on rows of two numbers and the answer.
class Regression : public ::testing::Test {
 protected:
  void SetUp() override {
    auto graph = graph::Parse(
        "opset 17\ninput x: f32[N,2]\nconst w: f32[2,1] = [1,2]\n"
        "y: f32[N,1] = MatMul(x, w)\noutput y\n");
    ASSERT_TRUE(graph) << graph.error().message();
    ASSERT_TRUE(onnx::Export(*graph, model_));
    std::string text = "p,q,target\n";
    for (int i = 0; i < 60; ++i) text += Text("0.", i, ",-0.", 60 - i, ",", i % 7, ".5\n");
    table_ = folder_.Write("t.csv", text);
  }
  Ran Quantize(const Arguments& more) {
    return Pare(Arguments{"quantize", model_, "--data", table_, "-o", folder_ / "q.onnx",
                          "--calibration", "20", "--target", "any", "--seconds", "0.01"} +
                more);
  }

  TestFolder folder_;
  std::string model_ = folder_ / "m.onnx", table_;
};

TEST_F(Regression, IsMeasuredByItsError) {
  const Ran ran = Quantize({"--label", "target", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.object().at("quality").at("metric").as_string(), "mse");
  const Ran people = Quantize({"--label", "target"});
  EXPECT_TRUE(Has(people.out, "\n  mse") && Has(people.out, "\n  psnr")) << people.out;
  EXPECT_FALSE(Has(people.out, "cosine")) << people.out;
  // Three weights, and all that int8 needs around them.
  EXPECT_TRUE(Has(people.out, "\nno gain in size: ")) << people.out;
  EXPECT_TRUE(Has(ran.out, "no gain in size: ")) << ran.out;
  const Ran top = Quantize({"--label", "target", "--metric", "top"});
  EXPECT_EQ(top.code, 2);
  EXPECT_TRUE(Has(top.err, "--metric top needs")) << top.err;
}

TEST_F(Regression, AForgottenLabelIsAskedFor) {
  const Ran ran = Quantize({});
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(Has(ran.err, "--label COLUMN") && Has(ran.err, "p, q, target")) << ran.err;
}

TEST_F(Regression, BadSamplesEndTheWorkBeforeItBegins) {
  std::ofstream(table_, std::ios::app) << "0.5,,1.5\n";
  const Ran ran = Quantize({"--label", "target", "--verification", "1000"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_TRUE(Has(ran.err, "t.csv: line 62: column q is ''")) << ran.err;
  EXPECT_FALSE(Has(ran.err, "calibrating")) << ran.err;
}

TEST_F(Regression, PreprocessingOfPicturesIsToldToBeWithoutEffect) {
  const Ran ran = Quantize({"--label", "target", "--scale", "2", "--bgr"});
  EXPECT_TRUE(Has(ran.err, "note: --scale, --bgr: without effect")) << ran.err;
}

TEST_F(Regression, WeightsThatAreNoNumbersAreNamed) {
  auto graph = graph::Parse(
      "opset 17\ninput x: f32[N,2]\nconst w: f32[2,1] = [1,nan]\n"
      "y: f32[N,1] = MatMul(x, w)\noutput y\n");
  ASSERT_TRUE(graph) << graph.error().message();
  ASSERT_TRUE(onnx::Export(*graph, model_));
  const Ran ran = Quantize({"--label", "target"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_TRUE(Has(ran.err, "m.onnx: the constant \"w\" holds NaN or infinities in 1 of 2"))
      << ran.err;
  const Ran compared =
      Pare({"compare", model_, model_, "--data", table_, "--label", "target", "--seconds", "0.01"});
  EXPECT_TRUE(Has(compared.err, "the constant \"w\" holds NaN")) << compared.err;
}

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

TEST(Threads, AreAtMostWhatTheProcessMayUse) {
  const Ran ran = Pare({"bench", kModel, "--threads", "9999", "--seconds", "0.01", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.object().at("threads"), Pare({"doctor", "--json"}).object().at("threads"));
  EXPECT_TRUE(Has(ran.err, "note: --threads 9999: ")) << ran.err;
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

TEST(MaxDrop, ThatCannotBeHeldIsAnErrorOfItsOwn) {
  const TestFolder folder;
  const std::string out = folder / "out.onnx";
  // Int8 is not 90 points better than float.
  const Ran ran =
      Pare(Arguments{"quantize", kModel, "-o", out, "--max-drop", "-90", "--calibration", "4",
                     "--verification", "8", "--limit", "12", "--target", "any", "--calibrator",
                     "minmax", "--no-equalization", "--json"} +
           kData + kPreprocessing);
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_EQ(ran.object().at("error").at("kind").as_string(), "unmet");
  EXPECT_FALSE(FileExists(out));
}

TEST(Inspect, KnowsWhatIsInAModel) {
  const Ran ran = Pare({"inspect", kModel, "--nodes", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  EXPECT_TRUE(report.at("runs").as_bool());
  EXPECT_TRUE(report.at("missing").as_array().empty());
  EXPECT_EQ(report.at("inputs").at(0).at("name").as_string(), "input");
  EXPECT_EQ(report.at("inputs").at(0).at("shape").at(2).as_int64(), 32);
  // He et al., "Deep Residual Learning", table 6: 0.27 M parameters; 41 M multiply-adds.
  EXPECT_NEAR(report.at("parameters").to_number<double>(), 0.27e6, 5e3);
  EXPECT_NEAR(report.at("macs").to_number<double>(), 40.8e6, 0.5e6);
  EXPECT_GT(report.at("memory").at("arena_bytes").as_int64(), 0);
  EXPECT_GT(report.at("memory").at("packed_bytes").as_int64(), 0);
  EXPECT_FALSE(report.at("nodes").as_array().empty());
  EXPECT_TRUE(Has(Pare({"inspect", kModel}).out, "it runs"));
}

TEST(Inspect, TellsOfBrokenFilesWhatItCan) {
  for (const auto& path : Sorted(SourcePath("tests/broken"))) {
    if (path.extension() != ".onnx") continue;
    const Ran ran = Pare({"inspect", path});
    EXPECT_TRUE(ran.code == 0 || !ran.err.empty()) << path;
    EXPECT_NE(ran.code, cli::ExitCodeOf(ErrorKind::kInternal).code) << path << ran.err;
  }
}

TEST(Inspect, ListsAllThatWouldNotRun) {
  const TestFolder folder;
  auto graph = graph::Parse(
      "opset 17\nopset com.acme 1\ninput x: f32[N,4]\n"
      "a: f32[N,4] = com.acme.Magic(x) # first\nb: f32[N,4] = Relu(a)\n"
      "c: f32[N,4] = com.acme.Trick(b) # second\noutput c\n");
  ASSERT_TRUE(graph) << graph.error().message();
  const std::string path = folder / "magic.onnx";
  ASSERT_TRUE(onnx::Export(*graph, path));
  const Ran ran = Pare({"inspect", path, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  EXPECT_FALSE(report.at("runs").as_bool());
  ASSERT_EQ(report.at("missing").as_array().size(), 2u);
  EXPECT_EQ(report.at("missing").at(0).at("node").as_string(), "first");
  EXPECT_EQ(report.at("missing").at(1).at("op").as_string(), "com.acme.Trick");
  EXPECT_TRUE(Has(Pare({"inspect", path}).out, "it does not run"));
  const Ran bench = Pare({"bench", path});
  EXPECT_EQ(bench.code, 5);
  EXPECT_TRUE(Has(bench.err, "magic.onnx: node first (com.acme.Magic): ")) << bench.err;
}

TEST(Run, WritesEachOutput) {
  const TestFolder folder;
  const std::string x = folder / "x.npy", out = folder / "out";
  ASSERT_TRUE(data::SaveNpy(x, Tensor::Zeros(DType::kF64, {2, 3, 32, 32}).value()));
  const Ran wrong = Pare({"run", kModel, "--input", x, "--output-dir", out});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(Has(wrong.err, "--cast converts f64 to f32")) << wrong.err;
  const Ran ran = Pare({"run", kModel, "--input", x, "--cast", "--output-dir", out, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string file(ran.object().at("outputs").at(0).at("file").as_string());
  const auto logits = data::LoadNpy(file);
  ASSERT_TRUE(logits) << logits.error().message();
  EXPECT_EQ(logits->shape(), (Dims{2, 10}));
  // An output never lands on an input.
  const Ran over = Pare({"run", kModel, "--input", file, "--output-dir", out});
  EXPECT_EQ(over.code, 2);
}

TEST(Compare, MatchesOutputsByName) {
  const TestFolder folder;
  const auto model = [&](const std::string& name, const std::string& outputs) {
    auto graph = graph::Parse(
        "input x: f32[N,4]\nconst w: f32[4,3] = random(1, -1, 1)\na = Relu(x)\nb = MatMul(x, w)\n" +
        outputs);
    EXPECT_TRUE(graph && ops::InferTypes(*graph) && onnx::Export(*graph, folder / name));
    return folder / name;
  };
  Tensor x = Tensor::Make(DType::kF32, {6, 4}).value();
  for (int i = 0; i < 24; ++i) x.mutable_as<float>()[i] = static_cast<float>(i % 7 - 3);
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", x));
  const std::string whole = model("whole.onnx", "output a\noutput b\n");
  for (const std::string& other :
       {model("turned.onnx", "output b\noutput a\n"), model("part.onnx", "output b\n")}) {
    for (const auto& [first, second] : {std::pair(whole, other), std::pair(other, whole)}) {
      const Ran ran = Pare({"compare", first, second, "--data", folder / "x.npy", "--metric", "mse",
                            "--seconds", "0.01", "--json"});
      ASSERT_EQ(ran.code, 0) << ran.err;
      EXPECT_EQ(ran.object().at("quality").at("mse").to_number<double>(), 0);
    }
  }
}

TEST(Profile, TracesWhatItMeasured) {
  const TestFolder folder;
  const std::string trace = folder / "trace.json";
  const Ran ran = Pare({"profile", kModel, "--seconds", "0.02", "--trace", trace, "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  EXPECT_GE(report.at("layers").as_array().size(), 20u);
  double share = 0;
  for (const json::value& layer : report.at("layers").as_array())
    share += layer.at("share").to_number<double>();
  EXPECT_NEAR(share, 1, 1e-9);
  const json::value events = json::parse(ReadFile(trace).value());
  // Nodes that cost nothing (another shape for the same bytes) stand in the trace alone.
  EXPECT_GE(events.at("traceEvents").as_array().size(), report.at("layers").as_array().size());
}

}  // namespace
}  // namespace pare
