// `pare distill` from its command line to its files.
#include <algorithm>
#include <boost/json.hpp>

#include "base/random.h"
#include "compress/distill/answers.h"
#include "data/npy.h"
#include "graph/text.h"
#include "onnx/export.h"
#include "ops/op_def.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "running.h"
#include "running_pare.h"

namespace pare {
namespace {

namespace json = boost::json;

const std::string kResNet = SourcePath("examples/demo/resnet20_cifar10_fp32.onnx");
const std::string kPictures = SourcePath("examples/demo/cifar10_test_2000.bin");
const std::string kTeacher = SourcePath("tests/training/cnn.onnx");  // 5 classes of [3,12,12]

std::string Content(const std::string& path) { return ReadFile(path).value_or(""); }

class DistillCommand : public ::testing::Test {
 protected:
  DistillCommand() {
    Random random(3);
    Tensor pictures = Tensor::Make(DType::kF32, {kSamples, 3, 12, 12}).value();
    for (float& x : pictures.mutable_as<float>()) x = random.Normal();
    EXPECT_TRUE(data::SaveNpy(data_, pictures));
    EXPECT_EQ(Pare({"design", kTeacher, "-o", student_, "--width", "0.5"}).code, 0);
  }

  // A few steps of the small student; options in `arguments` go before these.
  Arguments Short(const std::string& output, const Arguments& arguments = {}) const {
    Arguments all{"distill", "--student", student_, "-o", output};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const std::pair<const char*, std::string> run[] = {
        {"--teacher", kTeacher}, {"--data", data_},  {"--steps", "6"},     {"--batch", "8"},
        {"--rate", "0.01"},      {"--threads", "2"}, {"--validation", "8"}};
    for (const auto& [name, value] : run) {
      if (std::find(arguments.begin(), arguments.end(), name) != arguments.end()) continue;
      all.insert(all.end(), {name, value});
    }
    return all;
  }
  std::string ErrorOf(const Arguments& arguments) const {
    const std::string output = folder_ / "never.onnx";
    const Ran ran = Pare(Short(output, arguments));
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_FALSE(FileExists(output));
    return ran.err;
  }
  // Writes the model that a text describes.
  std::string Model(const char* name, std::string_view text,
                    const std::map<std::string, std::string>& metadata = {}) const {
    return WriteModel(folder_ / name, text, metadata);
  }
  void WriteLabels(const std::vector<int64_t>& labels) const {
    EXPECT_TRUE(data::SaveNpy(folder_ / "x_labels.npy", Tensor::Of<int64_t>({kSamples}, labels)));
  }

  static constexpr int64_t kSamples = 40;
  const TestFolder folder_;
  const std::string data_ = folder_ / "x.npy", student_ = folder_ / "student.onnx";
};

TEST_F(DistillCommand, BringsAStudentNearerToItsTeacher) {
  const std::string half = folder_ / "half.onnx", output = folder_ / "taught.onnx";
  ASSERT_EQ(
      Pare({"design", kResNet, "-o", half, "--width", "0.5", "--depth", "0.34", "--quiet"}).code,
      0);
  Arguments arguments{"distill", "--teacher", kResNet, "--student", half, "-o", output, "--json"};
  arguments.insert(arguments.end(),
                   {"--data", kPictures, "--mean", "0.485,0.456,0.406", "--std",
                    "0.229,0.224,0.225", "--limit", "320", "--validation", "80", "--steps", "40",
                    "--batch", "8", "--rate", "0.02", "--clip", "1"});
  const Ran ran = Pare(arguments);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  EXPECT_EQ(report.at("score").as_string(), "agreement");
  EXPECT_LT(report.at("score_before").to_number<double>(), 30);
  EXPECT_GT(report.at("score_after").to_number<double>(),
            report.at("score_before").to_number<double>());
  EXPECT_GT(report.at("best_step").as_int64(), 0);
  const double change =
      report.at("score_after").to_number<double>() - report.at("score_before").to_number<double>();
  EXPECT_LT(report.at("score_change_low").to_number<double>(), change);
  EXPECT_GT(report.at("score_change_high").to_number<double>(), change - 1);
  EXPECT_LT(report.at("score_change_high").to_number<double>(), change + 30);
  EXPECT_NE(Content(output), Content(half));
}

TEST_F(DistillCommand, StopsAndGoesOnToTheSameFile) {
  const std::string whole = folder_ / "whole.onnx", stopped = folder_ / "stopped.onnx";
  const std::string teacher = Model("teacher.onnx", kWideConvolutions);
  // Without validation the last weights are written, which the last step's bits move.
  Arguments how{"--steps", "20", "--teacher", teacher, "--validation", "0", "--batch", "10"};
  ASSERT_EQ(Pare(Short(whole, how)).code, 0);
  how.insert(how.end(), {"--checkpoint", folder_ / "run.npz"});
  EXPECT_EQ(PareStopped(Short(stopped, how), 3).code, 130);
  Arguments resumed = how;
  resumed.push_back("--resume");
  const Ran ran = Pare(Short(stopped, resumed));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("going on after step 3"), std::string::npos) << ran.err;
  EXPECT_EQ(Content(whole), Content(stopped));
}

TEST_F(DistillCommand, TakesAnswersFromItsCache) {
  const std::string cache = folder_ / "answers.npz", first = folder_ / "first.onnx",
                    again = folder_ / "again.onnx";
  ASSERT_EQ(Pare(Short(first, {"--cache", cache})).code, 0);
  const std::string kept = Content(cache);
  auto saved = compress::LoadAnswers(cache);
  ASSERT_TRUE(saved) << saved.error().message();
  ASSERT_EQ(saved->size(), 1u);
  EXPECT_EQ(saved->at(0).keys.count(), kSamples - 8);  // all that were trained on
  ASSERT_EQ(Pare(Short(again, {"--cache", cache})).code, 0);
  EXPECT_EQ(Content(first), Content(again));
  EXPECT_EQ(Content(cache), kept);
  // A batch of another size asks anew, and keeps what was there.
  ASSERT_EQ(Pare(Short(again, {"--cache", cache, "--batch", "4"})).code, 0);
  const std::string alone = folder_ / "alone.onnx";
  ASSERT_EQ(Pare(Short(alone, {"--batch", "4"})).code, 0);
  EXPECT_EQ(Content(alone), Content(again));
  EXPECT_EQ(compress::LoadAnswers(cache)->size(), 2u);
  // Other answers make another student: these are the ones that are used.
  Tensor answers = Tensor::Make(DType::kF32, saved->at(0).answers.shape()).value();
  for (float& x : answers.mutable_as<float>()) x = 1;
  saved->at(0).answers = answers;
  const compress::AnswerRows ones = compress::RowsOf(saved->at(0));
  ASSERT_TRUE(compress::SaveAnswers(cache, {&ones, 1}));
  ASSERT_EQ(Pare(Short(again, {"--cache", cache})).code, 0);
  EXPECT_NE(Content(first), Content(again));
}

TEST_F(DistillCommand, KeepsTheAnswersOfARunThatIsStopped) {
  const std::string cache = folder_ / "answers.npz";
  EXPECT_EQ(PareStopped(Short(folder_ / "s.onnx", {"--cache", cache}), 2).code, 130);
  const auto saved = compress::LoadAnswers(cache);
  ASSERT_TRUE(saved && saved->size() == 1);
  EXPECT_EQ(saved->at(0).keys.count(), 16);
}

TEST_F(DistillCommand, LeavesACacheAloneThatItCanNotUse) {
  const std::string cache = folder_ / "answers.npz", output = folder_ / "s.onnx";
  ErrorOf({"--cache", cache, "--hint", "nothing"});
  EXPECT_FALSE(FileExists(cache));
  ASSERT_EQ(Pare(Short(output, {"--cache", cache})).code, 0);
  const std::string kept = Content(cache);
  const Arguments without[] = {{"--cache-size", "0"}, {"--mixup", "0.2"}};
  for (Arguments more : without) {
    more.insert(more.end(), {"--cache", cache});
    const Ran ran = Pare(Short(output, more));
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_NE(ran.err.find("--cache is neither read nor written"), std::string::npos) << ran.err;
    EXPECT_EQ(Content(cache), kept);
  }
  const std::string other = folder_ / "mine.npz";
  ASSERT_TRUE(data::SaveNpz(other, {{"x", Tensor::Of<float>({1}, {1})}}));
  const std::string mine = Content(other);
  EXPECT_NE(ErrorOf({"--cache", other}).find("holds no answers of teachers"), std::string::npos);
  EXPECT_EQ(Content(other), mine);
}

TEST_F(DistillCommand, LearnsFromSeveralTeachers) {
  const std::string other = folder_ / "other.onnx", cache = folder_ / "answers.npz";
  const std::string one = folder_ / "one.onnx", two = folder_ / "two.onnx",
                    again = folder_ / "again.onnx";
  ASSERT_EQ(Pare({"design", kTeacher, "-o", other, "--width", "0.8"}).code, 0);
  const Arguments both{"--teacher", kTeacher, "--teacher", other, "--cache", cache};
  ASSERT_EQ(Pare(Short(one)).code, 0);
  const Ran ran = Pare(Short(two, both));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(Content(one), Content(two));
  EXPECT_EQ(compress::LoadAnswers(cache)->size(), 2u);
  ASSERT_EQ(Pare(Short(again, both)).code, 0);
  EXPECT_EQ(Content(two), Content(again));
  // The same one twice is that one: half of the loss each.
  ASSERT_EQ(Pare(Short(two, {"--teacher", kTeacher, "--teacher", kTeacher, "--cache", cache})).code,
            0);
  const auto model = model::Model::Load(two);
  const auto record = json::parse(model->graph().metadata.at("pare.run")).as_object();
  EXPECT_EQ(record.at("teachers").as_array().size(), 2u);
}

TEST_F(DistillCommand, TakesHintsByNameOrChoosesThem) {
  const std::string output = folder_ / "s.onnx";
  const auto objective = [&](const Arguments& more) {
    const Ran ran = Pare(Short(output, more));
    EXPECT_EQ(ran.code, 0) << ran.err;
    const auto model = model::Model::Load(output);
    const auto record = json::parse(model->graph().metadata.at("pare.run")).as_object();
    return ran.err + std::string(record.at("objective").as_string());
  };
  for (const char* how : {"auto", "name", "shape", "position"}) {
    const std::string told = objective({"--hints", how});
    EXPECT_NE(told.find("--hints chose the layers"), std::string::npos) << told;
    EXPECT_NE(told.find(", hint "), std::string::npos) << told;
  }
  const std::string chosen = objective({"--hints", "name"});
  const size_t begin = chosen.find(", hint ") + 7;
  const std::string layer = chosen.substr(begin, chosen.find('=', begin) - begin);
  const std::string one =
      objective({"--hint", layer, "--attention", layer, "--relation-weight", "1"});
  EXPECT_NE(one.find(Text("hint ", layer, '=', layer, ", hint-weight 1,")), std::string::npos)
      << one;
  EXPECT_NE(one.find(Text("attention ", layer, '=', layer, ", attention-weight 100,")),
            std::string::npos)
      << one;
  EXPECT_NE(ErrorOf({"--hint", "nothing"}).find("no layer \"nothing\""), std::string::npos);
  EXPECT_NE(ErrorOf({"--hint", layer + "="}).find("names no pair"), std::string::npos);
  EXPECT_NE(ErrorOf({"--hints", "all"}).find("no way to pair layers"), std::string::npos);
  EXPECT_NE(ErrorOf({"--hint-weight", "-1"}).find("not between"), std::string::npos);
  EXPECT_NE(ErrorOf({"--attention-weight", "1e7"}).find("not between"), std::string::npos);
}

// Of three networks.
TEST_F(DistillCommand, AndTrainChooseOptimizerAndRateByTheNetwork) {
  Random random(4);
  Tensor tokens = Tensor::Make(DType::kF32, {kSamples, 6, 8}).value();
  for (float& x : tokens.mutable_as<float>()) x = random.Normal();
  ASSERT_TRUE(data::SaveNpy(folder_ / "tokens.npy", tokens));
  std::string attention = R"(
opset 17
input x: f32[N,6,8]
const w: f32[8,8] = random(1, -1, 1)
const v: f32[8,5] = random(2, -1, 1)
const one: i64[1] = [1]
k = MatMul(x, w)
t = Transpose(x) {perm=[0,2,1]}
s = MatMul(k, t)
p = Softmax(s)
a = MatMul(p, x)
m = ReduceMean(a, one) {keepdims=0}
y = MatMul(m, v)
output y
)",
              convolutions(kWideConvolutions);
  const std::string attends = Model("attends.onnx", attention),
                    plain = Model("plain.onnx", convolutions), output = folder_ / "chosen.onnx";
  // Teachers of other weights.
  for (std::string* text : {&attention, &convolutions})
    text->replace(text->find("random(2"), 8, "random(9");
  const std::string attends_too = Model("attends_too.onnx", attention),
                    plain_too = Model("plain_too.onnx", convolutions);
  std::vector<int64_t> labels(kSamples, 1);
  WriteLabels(labels);
  ASSERT_TRUE(
      data::SaveNpy(folder_ / "tokens_labels.npy", Tensor::Of<int64_t>({kSamples}, labels)));
  const auto chosen = [&](Arguments all, const std::string& samples) {
    all.insert(all.end(), {"-o", output, "--data", samples, "--steps", "10", "--batch", "8"});
    const Ran ran = Pare(all);
    EXPECT_EQ(ran.code, 0) << ran.err;
    const auto run =
        json::parse(model::Model::Load(output)->graph().metadata.at("pare.run")).as_object();
    const double rate = run.at("rate").to_number<double>();
    EXPECT_GT(rate, 0);
    EXPECT_NE(ran.err.find(Text("the learning rate is ", rate)), std::string::npos) << ran.err;
    return Text(std::string(run.at("optimizer").as_string()), ' ',
                ran.err.find("the optimizer is") != std::string::npos ? "told" : "",
                ran.err.find("clipped to length 1") != std::string::npos ? "clipped" : "");
  };
  const std::string rows = folder_ / "tokens.npy";
  EXPECT_EQ(chosen({"distill", "--teacher", attends_too, "--student", attends}, rows),
            "adamw told");
  EXPECT_EQ(chosen({"train", attends}, rows), "adamw told");
  EXPECT_EQ(chosen({"train", attends, "--from-scratch"}, rows), "adamw told");
  EXPECT_EQ(chosen({"train", attends, "--nesterov"}, rows), "sgd ");
  EXPECT_EQ(chosen({"distill", "--teacher", plain_too, "--student", plain}, data_),
            "adamw toldclipped");
  EXPECT_EQ(chosen({"train", plain}, data_), "adamw toldclipped");
  EXPECT_EQ(chosen({"distill", "--teacher", kTeacher, "--student", student_}, data_), "sgd ");
}

TEST_F(DistillCommand, RefusesOptionsThatWouldChangeNothing) {
  const Arguments cases[] = {{"--hint-weight", "2"},
                             {"--attention-weight", "2"},
                             {"--attention-weight", "2", "--hints", "name"},
                             {"--temperature", "2", "--loss", "mse"},
                             {"--temperature", "2", "--alpha", "0"},
                             {"--temperature", "2", "--loss", "cosine"}};
  for (const Arguments& more : cases)
    EXPECT_NE(ErrorOf(more).find(more[0] + " has no effect"), std::string::npos) << more[0];
  EXPECT_EQ(Pare(Short(folder_ / "s.onnx", {"--temperature", "2"})).code, 0);
  EXPECT_EQ(Pare(Short(folder_ / "s.onnx", {"--hints", "name", "--hint-weight", "2"})).code, 0);
}

// The answers of a run come before those of others.
TEST_F(DistillCommand, BoundsTheFileOfItsCache) {
  const std::string cache = folder_ / "answers.npz", output = folder_ / "s.onnx";
  ASSERT_EQ(Pare(Short(output, {"--cache", cache})).code, 0);
  auto saved = compress::LoadAnswers(cache);
  ASSERT_TRUE(saved);
  // As if the runs of another teacher had filled a megabyte.
  compress::SavedAnswers other{.teacher = 7, .keys = {}, .answers = {}};
  other.keys = Tensor::Zeros(DType::kU64, {1000}).value();
  other.answers = Tensor::Zeros(DType::kF32, {1000, 262}).value();
  const compress::AnswerRows both[] = {compress::RowsOf(other), compress::RowsOf(saved->at(0))};
  ASSERT_TRUE(compress::SaveAnswers(cache, both));
  ASSERT_EQ(Pare(Short(output, {"--cache", cache, "--cache-size", "2"})).code, 0);
  EXPECT_EQ(compress::LoadAnswers(cache)->size(), 2u);
  ASSERT_EQ(Pare(Short(output, {"--cache", cache, "--cache-size", "1"})).code, 0);
  const auto kept = compress::LoadAnswers(cache);
  ASSERT_EQ(kept->size(), 1u);
  EXPECT_EQ(kept->at(0).keys.count(), kSamples - 8);
}

TEST_F(DistillCommand, RefusesATeacherThatIsTheStudent) {
  const std::string copy = folder_ / "copy.onnx";
  folder_.Write("copy.onnx", Content(student_));
  const std::string error = ErrorOf({"--teacher", copy});
  EXPECT_NE(error.find("there is nothing to learn"), std::string::npos) << error;
  EXPECT_EQ(Pare(Short(folder_ / "s.onnx", {"--teacher", copy, "--teacher", kTeacher})).code, 0);
}

TEST_F(DistillCommand, RefusesATeacherOfOtherOutputs) {
  const std::string two = Model("two.onnx", R"(
opset 17
input x: f32[N,3,12,12]
const w: f32[5,3,12,12] = random(1, -0.1, 0.1)
y = Conv(x, w)
flat = Flatten(y)
output flat
output y as "map"
)");
  const std::string error = ErrorOf({"--teacher", two});
  EXPECT_NE(error.find("two.onnx: the teacher has 2 outputs (\"flat\""), std::string::npos)
      << error;
  EXPECT_NE(error.find("the student 1 output (\"y\""), std::string::npos) << error;
}

// What is measured and what it is called follow from the teacher and the loss.
TEST_F(DistillCommand, NamesTheScoreThatItComputes) {
  const std::string text = R"(
opset 17
input x: f32[N,3,12,12]
const w: f32[5,3,12,12] = random(1, -0.1, 0.1)
const shape: i64[3] = [0,1,5]
y = Conv(x, w)
r = Reshape(y, shape)
output r
)";
  const Ran ran =
      Pare(Short(folder_ / "s.onnx", {"--teacher", Model("rows.onnx", text), "--json"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.object().at("score").as_string(), "snr");
  const Ran other = Pare(Short(
      folder_ / "t.onnx", {"--teacher", Model("rows.onnx", text), "--json", "--loss", "cosine"}));
  ASSERT_EQ(other.code, 0) << other.err;
  EXPECT_EQ(other.object().at("score").as_string(), "cosine");
  EXPECT_LE(other.object().at("score_after").to_number<double>(), 1);
}

// A teacher of probabilities and a student of logits: scored as the loss compares them.
TEST_F(DistillCommand, ScoresEachPositionOfSoftDenseOutputs) {
  const auto dense = [](int seed, std::string_view last) {
    return Text("opset 17\ninput x: f32[N,3,12,12]\nconst w: f32[5,3,1,1] = random(", seed,
                ", -1, 1)\nh = Conv(x, w)\n", last, "\noutput y\n");
  };
  const std::string teacher = Model("masks.onnx", dense(1, "y = Softmax(h) {axis=1}")),
                    student = Model("logits.onnx", dense(2, "y = Identity(h)"));
  const Ran ran = Pare({"distill",
                        "--teacher",
                        teacher,
                        "--student",
                        student,
                        "--data",
                        data_,
                        "-o",
                        folder_ / "d.onnx",
                        "--loss",
                        "soft",
                        "--temperature",
                        "1",
                        "--steps",
                        "30",
                        "--batch",
                        "8",
                        "--rate",
                        "0.5",
                        "--validation",
                        "8",
                        "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = ran.object();
  EXPECT_EQ(report.at("score").as_string(), "position-agreement");
  EXPECT_LT(report.at("score_before").to_number<double>(), 70);
  EXPECT_GT(report.at("score_after").to_number<double>(), 80);
  EXPECT_GT(report.at("best_step").as_int64(), 0);
}

TEST_F(DistillCommand, WantsALabelForEachSampleOfMixedTraining) {
  EXPECT_NE(ErrorOf({"--alpha", "0.5"}).find("asks for labels"), std::string::npos);
  std::vector<int64_t> labels(kSamples, 1);
  WriteLabels(labels);
  EXPECT_EQ(Pare(Short(folder_ / "s.onnx", {"--alpha", "0.5"})).code, 0);
  std::fill(labels.begin() + 10, labels.end(), -1);
  WriteLabels(labels);
  const std::string error = ErrorOf({"--alpha", "0.5"});
  EXPECT_NE(error.find("x.npy[1"), std::string::npos) << error;
  EXPECT_NE(error.find("has no label"), std::string::npos) << error;
  std::fill(labels.begin(), labels.end(), 7);
  WriteLabels(labels);
  EXPECT_NE(ErrorOf({"--alpha", "0.5"}).find("none of the model's 5 classes"), std::string::npos);
}

constexpr std::string_view kPixels = R"(
opset 17
input x: f32[N,3,32,32]
const w: f32[4,3,3,3] = random(1, -1, 1)
const v: f32[4,10] = random(2, -1, 1)
h = Conv(x, w)
p = GlobalAveragePool(h)
f = Flatten(p)
y = MatMul(f, v)
output y
)";

// What the teacher's file knows of pictures holds for the student, too, and is stored in it.
TEST_F(DistillCommand, TakesThePreprocessingThatEitherModelKnows) {
  const std::map<std::string, std::string> half{{"pare.preprocess.mean", "0.5,0.5,0.5"}},
      third{{"pare.preprocess.mean", "0.3,0.3,0.3"}};
  const std::string blank = Model("blank.onnx", kPixels),
                    knows = Model("knows.onnx", kPixels, half),
                    other = Model("other.onnx", kPixels, third), output = folder_ / "out.onnx";
  const auto distill = [&](const std::string& student, const std::string& teacher,
                           const Arguments& more = {}) {
    Arguments all{"distill", "--student",    student,   "--teacher", teacher, "-o",
                  output,    "--data",       kPictures, "--limit",   "24",    "--steps",
                  "1",       "--validation", "8",       "--batch",   "8"};
    all.insert(all.end(), more.begin(), more.end());
    return Pare(all);
  };
  const auto stored = [&] {
    return model::Model::Load(output)->graph().metadata.at("pare.preprocess.mean");
  };
  for (const auto& [student, teacher] : {std::pair(blank, knows), std::pair(knows, blank)}) {
    const Ran ran = distill(student, teacher);
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.err.find("no preprocessing is given"), std::string::npos) << ran.err;
    EXPECT_EQ(stored().substr(0, 3), "0.5");
  }
  const Ran refused = distill(knows, other);
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("different preprocessing: mean is 0.5"), std::string::npos)
      << refused.err;
  const Ran decided = distill(knows, other, {"--mean", "0.25"});
  ASSERT_EQ(decided.code, 0) << decided.err;
  EXPECT_EQ(stored().substr(0, 4), "0.25");
}

// Columns, and what is learned by: where the student knows none of its own, its teacher's.
TEST_F(DistillCommand, KeepsWhatEitherModelStoresOfTheData) {
  constexpr std::string_view kRows = R"(
opset 17
input x: f32[N,2]
const w: f32[2,2] = random(SEED, -1, 1)
const v: f32[2,2] = random(3, -1, 1)
h: f32[N,2] = MatMul(x, w)
r: f32[N,2] = Relu(h)
y: f32[N,2] = MatMul(r, v)
output y
)";
  const auto rows = [&](const char* name, const char* seed,
                        const std::map<std::string, std::string>& metadata) {
    std::string text(kRows);
    text.replace(text.find("SEED"), 4, seed);
    return Model(name, text, metadata);
  };
  const std::map<std::string, std::string> known{
      {"pare.columns", "a\nb\n"}, {"pare.label", "kind"}, {"pare.classes", "no\nyes\n"}};
  const std::map<std::string, std::string> other{{"pare.label", "sort"}};
  std::string table = "b,kind,sort,a\n";
  for (int i = 0; i < 24; ++i)
    table += Text(i % 5, i % 2 ? ",yes," : ",no,", i % 2 ? "yes," : "no,", i % 7, '\n');
  const std::string data = folder_.Write("t.csv", table), output = folder_ / "out.onnx";
  const auto stored = [&](const std::map<std::string, std::string>& students,
                          const std::map<std::string, std::string>& teachers) {
    const Ran ran = Pare({"distill", "--student", rows("s.onnx", "1", students), "--teacher",
                          rows("t.onnx", "2", teachers), "--data", data, "-o", output, "--steps",
                          "2", "--batch", "4", "--validation", "4", "--rate", "0.01"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    return model::Model::Load(output)->graph().metadata;
  };
  for (const auto& metadata : {stored(known, {}), stored({}, known)}) {
    for (const auto& [key, text] : known)
      EXPECT_TRUE(metadata.contains(key) && metadata.at(key) == text) << key;
  }
  const auto own = stored(other, known);
  EXPECT_EQ(own.at("pare.label"), "sort");
  EXPECT_EQ(own.at("pare.columns"), "a\nb\n");
}

// A teacher's network on the data of these tests, one of whose weights is `last`.
std::string Linear(std::string_view last, std::string_view outputs = "output y\n") {
  return Text("opset 17\ninput x: f32[N,3,12,12]\nconst w: f32[432,5] = random(1, -1, 1)\n",
              "const b: f32[5] = [0,0,0,0,", last, "]\nf: f32[N,432] = Flatten(x)\n",
              "y: f32[N,5] = Gemm(f, w, b)\nz: f32[N,5] = Sigmoid(y)\n", outputs);
}

// Else the student would be blamed, at its first step.
TEST_F(DistillCommand, NamesTheTeacherWhoseAnswersAreNoNumbers) {
  const std::string good = Model("good.onnx", Linear("0.5")),
                    bad = Model("bad.onnx", Linear("nan"));
  const std::string output = folder_ / "out.onnx", run = folder_ / "run.npz";
  const Ran ran = Pare(Short(output, {"--teacher", good, "--teacher", bad, "--checkpoint", run}));
  EXPECT_EQ(ran.code, 4) << ran.err;
  EXPECT_NE(ran.err.find("bad.onnx: the teacher's output \"y\" is not finite for 8 of the first 8"),
            std::string::npos)
      << ran.err;
  EXPECT_NE(ran.err.find("note: " + bad + ": the constant \"b\" holds NaN"), std::string::npos)
      << ran.err;
  EXPECT_FALSE(FileExists(run)) << "nothing was trained";
  const Ran train = Pare(Short(output, {}));
  EXPECT_EQ(train.code, 0) << train.err;
  EXPECT_EQ(train.err.find("holds NaN"), std::string::npos) << train.err;
}

TEST_F(DistillCommand, TellsByWhichLossSeveralOutputsAreLearned) {
  constexpr std::string_view kTwo = "output y\noutput z\n";
  const std::string teacher = Model("teacher.onnx", Linear("0.5", kTwo)),
                    student = Model("student2.onnx", Linear("0.1", kTwo));
  Arguments arguments = Short(folder_ / "out.onnx", {"--teacher", teacher});
  std::ranges::replace(arguments, student_, student);
  const Ran guessed = Pare(arguments);
  ASSERT_EQ(guessed.code, 0) << guessed.err;
  EXPECT_NE(guessed.err.find("each of the teacher's 2 outputs (\"y\", \"z\") is learned as values"),
            std::string::npos)
      << guessed.err;
  arguments.insert(arguments.end(), {"--loss", "mse"});
  const Ran given = Pare(arguments);
  ASSERT_EQ(given.code, 0) << given.err;
  EXPECT_EQ(given.err.find("is learned as values"), std::string::npos) << given.err;
}

// Both of one meaning, their inputs listed in other orders; the same shapes hide it.
TEST_F(DistillCommand, AndCompareMatchInputsByName) {
  const auto text = [](std::string_view inputs) {
    return Text(
        "opset 17\n", inputs,
        "const w: f32[6,4] = random(1, -1, 1)\nd = Sub(a, b)\ny = MatMul(d, w)\noutput y\n");
  };
  const std::string ab = Model("ab.onnx", text("input a: f32[N,6]\ninput b: f32[N,6]\n")),
                    ba = Model("ba.onnx", text("input b: f32[N,6]\ninput a: f32[N,6]\n"));
  Random random(8);
  data::NamedTensors samples;
  for (const char* name : {"a", "b"}) {
    Tensor rows = Tensor::Make(DType::kF32, {32, 6}).value();
    for (float& x : rows.mutable_as<float>()) x = random.Normal();
    samples.emplace_back(name, rows);
  }
  const std::string pairs = folder_ / "pairs.npz";
  ASSERT_TRUE(data::SaveNpz(pairs, samples));
  const Ran compared = Pare({"compare", ab, ba, "--data", pairs, "--seconds", "0.01", "--json"});
  ASSERT_EQ(compared.code, 0) << compared.err;
  EXPECT_GT(compared.object().at("quality").at("cosine").to_number<double>(), 0.9999);
  const Ran taught = Pare({"distill", "--teacher", ba, "--student", ab, "--data", pairs, "-o",
                           folder_ / "s.onnx", "--steps", "1", "--batch", "8", "--json"});
  ASSERT_EQ(taught.code, 0) << taught.err;
  EXPECT_EQ(taught.object().at("score_before").to_number<double>(), 100);
  EXPECT_LT(taught.object().at("history").at(0).at("loss").to_number<double>(), 1e-6);
}

}  // namespace
}  // namespace pare
