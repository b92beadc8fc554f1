// `pare train` from its command line to its files, and what `pare distill` shares with it.
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "base/random.h"
#include "cli/command.h"
#include "data/npy.h"
#include "onnx/export.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "running.h"
#include "running_pare.h"
#include "train/parameters.h"

namespace pare {
namespace {

namespace json = boost::json;

const std::string kModel = SourcePath("examples/demo/resnet20_cifar10_fp32.onnx");
const std::string kPictures = SourcePath("examples/demo/cifar10_test_2000.bin");

// Two small steps, on a few pictures; an option in `arguments` goes before its own.
Arguments Short(Arguments arguments) {
  const std::pair<const char*, std::string> run[] = {{"--data", kPictures},
                                                     {"--mean", "0.485,0.456,0.406"},
                                                     {"--std", "0.229,0.224,0.225"},
                                                     {"--limit", "40"},
                                                     {"--steps", "2"},
                                                     {"--batch", "4"},
                                                     {"--rate", "0.001"},
                                                     {"--validation", "8"},
                                                     {"--threads", "2"}};
  const Arguments given = arguments;
  for (const auto& [name, value] : run) {
    if (std::find(given.begin(), given.end(), name) != given.end()) continue;
    arguments.insert(arguments.end(), {name, value});
  }
  return arguments;
}

std::string Content(const std::string& path) { return ReadFile(path).value_or(""); }

TEST(TrainCommand, TracesWhatItComputesWith) {
  const TestFolder folder;
  const Ran ran = Pare(Short({"train", kModel, "-o", folder / "tuned.onnx", "--trace",
                              folder / "trace", "--mixup", "0.2", "--parts", "2"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto start = data::LoadNpz(folder / "trace/start.npz");
  ASSERT_TRUE(start) << start.error().message();
  const auto named = [](const data::NamedTensors& arrays, std::string_view name) {
    return std::any_of(arrays.begin(), arrays.end(),
                       [&](const auto& a) { return a.first == name; });
  };
  EXPECT_TRUE(named(*start, "now/conv1.weight"));
  for (const char* part : {"1_0", "1_1", "2_0", "2_1"}) {
    const auto step = data::LoadNpz(folder / Text("trace/step_00000", part, ".npz"));
    ASSERT_TRUE(step) << step.error().message();
    for (const char* name : {"input/input", "labels", "loss", "rate", "partner", "weight"})
      EXPECT_TRUE(named(*step, name)) << name;
  }
}

TEST(TrainCommand, KeepsTheWeightsOfTheStartWhereNoneIsBetter) {
  const TestFolder folder;
  const Ran ran = Pare(Short({"train", kModel, "-o", folder / "tuned.onnx", "--rate", "10",
                              "--validation", "20", "--json"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = json::parse(ran.out).as_object();
  EXPECT_EQ(report.at("best_step"), 0);
  EXPECT_EQ(report.at("score_before"), report.at("score_after"));
  EXPECT_NE(json::serialize(report.at("notes")).find("weights at the start"), std::string::npos);
}

TEST(TrainCommand, TellsOfWeightsThatAreNoNumbers) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "bad.onnx", R"(
opset 17
input x: f32[N,2]
const w: f32[2,2] = [1,nan,0,1]
y: f32[N,2] = MatMul(x, w)
output y
)");
  const std::string data = folder.Write("t.csv", "a,b,label\n1,0,0\n0,1,1\n1,1,0\n0,0,1\n");
  Arguments arguments{"train",   model,   "--data",  data,
                      "--label", "label", "-o",      folder / "out.onnx",
                      "--steps", "1",     "--batch", "2"};
  const std::string note = "note: " + model + ": the constant \"w\" holds NaN";
  const Ran ran = Pare(arguments);
  EXPECT_NE(ran.code, 0);
  EXPECT_NE(ran.err.find(note), std::string::npos) << ran.err;
  arguments.push_back("--from-scratch");
  const Ran fresh = Pare(arguments);
  EXPECT_EQ(fresh.code, 0) << fresh.err;
  EXPECT_EQ(fresh.err.find(note), std::string::npos) << fresh.err;
}

TEST(TrainCommand, SaysThatNothingIsValidatedOnTooFewSamples) {
  const TestFolder folder;
  const auto said = [&](const char* samples) {
    const Ran ran = Pare(Short({"train", kModel, "-o", folder / Text(samples, ".onnx"), "--json",
                                "--limit", samples, "--batch", "3"}));
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.out.find("too few samples to keep any back") != std::string::npos;
  };
  EXPECT_TRUE(said("3"));
  EXPECT_FALSE(said("40"));
}

TEST(TrainCommand, ShowsNoTableWhereNothingWasScored) {
  const TestFolder folder;
  const Ran ran = Pare(Short({"train", kModel, "-o", folder / "tuned.onnx", "--validation", "0"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("trained on ")) << ran.out;
}

TEST(TrainCommand, WritesAModelItsCurveAndAReport) {
  const TestFolder folder;
  const std::string output = folder / "tuned.onnx";
  const Ran ran = Pare(Short({"train", kModel, "-o", output, "--curve", folder / "curve", "--json",
                              "--flip", "--crop-pad", "2"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const json::object report = json::parse(ran.out).as_object();
  EXPECT_EQ(report.at("score").as_string(), "top-1");
  EXPECT_EQ(report.at("steps").as_int64(), 2);
  EXPECT_EQ(report.at("batch").as_int64(), 4);
  EXPECT_EQ(report.at("training_samples").as_int64(), 32);
  EXPECT_EQ(report.at("validation_samples").as_int64(), 8);
  EXPECT_EQ(report.at("history").as_array().size(), 1);
  if (report.at("best_step").as_int64() > 0) {
    const double change = report.at("score_after").to_number<double>() -
                          report.at("score_before").to_number<double>();
    EXPECT_LE(report.at("score_change_low").to_number<double>(), change);
    EXPECT_GE(report.at("score_change_high").to_number<double>(), change);
  } else {
    EXPECT_TRUE(report.at("score_change_low").is_null());
  }
  EXPECT_TRUE(Content(folder / "curve.csv")
                  .starts_with("step,epoch,loss,rate,score,validation_loss,seconds\n2,"));
  EXPECT_TRUE(Content(folder / "curve.svg").starts_with("<svg"));

  // The normalisations are still there, the weights are others, and preprocessing is stored.
  const auto before = model::Model::Load(kModel, train::kTrainable).value();
  const auto after = model::Model::Load(output, train::kTrainable).value();
  EXPECT_EQ(before.graph().Order().size(), after.graph().Order().size());
  EXPECT_TRUE(after.graph().metadata.contains("pare.run"));
  EXPECT_EQ(Pare({"evaluate", output, "--data", kPictures, "--limit", "40"}).code, 0);
  EXPECT_NE(Content(kModel), Content(output));
}

TEST(TrainCommand, GivesTheSameFileAgainAndAfterAStop) {
  const TestFolder folder;
  const auto arguments = [&](const std::string& output, Arguments more) {
    Arguments all = Short({"train", kModel, "-o", output, "--quiet", "--steps", "4"});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const std::string once = folder / "once.onnx", again = folder / "again.onnx";
  ASSERT_EQ(Pare(arguments(once, {})).code, 0);
  ASSERT_EQ(Pare(arguments(again, {})).code, 0);
  EXPECT_EQ(Content(once), Content(again));
  const std::string stopped = folder / "stopped.onnx", checkpoint = folder / "run.npz";
  const Ran ran = PareStopped(arguments(stopped, {"--checkpoint", checkpoint}), 3);
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_NE(ran.err.find("interrupted after step 3"), std::string::npos) << ran.err;
  EXPECT_FALSE(FileExists(stopped));
  ASSERT_EQ(Pare(arguments(stopped, {"--checkpoint", checkpoint, "--resume"})).code, 0);
  EXPECT_EQ(Content(once), Content(stopped));
  const Ran finished = Pare(Short(
      {"train", kModel, "-o", stopped, "--steps", "4", "--checkpoint", checkpoint, "--resume"}));
  ASSERT_EQ(finished.code, 0) << finished.err;
  EXPECT_NE(finished.out.find("in 4 steps of"), std::string::npos) << finished.out;
  EXPECT_EQ(finished.out.find("samples/s"), std::string::npos) << finished.out;
  const Ran mistyped = Pare(Short({"train", kModel, "-o", folder / "new.onnx", "--checkpoint",
                                   folder / "rum.npz", "--resume"}));
  EXPECT_EQ(mistyped.code, 0) << mistyped.err;
  EXPECT_NE(mistyped.err.find(
                Text("no checkpoint at ", folder / "rum.npz", ": the run begins at step 0")),
            std::string::npos)
      << mistyped.err;
}

// Interrupted behind its best validation, without a checkpoint.
TEST(TrainCommand, LeavesTheBestWeightsOfARunThatIsStopped) {
  const TestFolder folder;
  const std::string output = folder / "best.onnx";
  const Ran ran = PareStopped(Short({"train", kModel, "-o", output, "--from-scratch", "--quiet",
                                     "--steps", "30", "--rate", "0.05", "--validate-every", "2",
                                     "--validation", "10", "--curve", folder / "curve", "--json"}),
                              25);
  EXPECT_EQ(ran.code, 130) << ran.err;
  const json::object stopped = ran.object();
  EXPECT_EQ(stopped.at("output").as_string(), output);
  const int64_t best_step = stopped.at("best_step").as_int64();
  EXPECT_GT(best_step, 0);
  EXPECT_NE(ran.err.find(Text("(step ", best_step, ", top-1")), std::string::npos) << ran.err;
  EXPECT_EQ(stopped.at("error").at("kind").as_string(), "cancelled");
  ASSERT_NE(ran.err.find("the best weights until then"), std::string::npos) << ran.err;
  const auto model = model::Model::Load(output);
  ASSERT_TRUE(model) << model.error().message();
  EXPECT_TRUE(model->graph().metadata.contains("pare.preprocess.mean"));
  const json::object run = json::parse(model->graph().metadata.at("pare.run")).as_object();
  EXPECT_EQ(run.at("steps").as_int64(), 25);
  EXPECT_TRUE(FileExists(folder / "curve.csv"));

  // Behind no validation nothing is written.
  const json::object early =
      PareStopped(Short({"train", kModel, "-o", folder / "none.onnx", "--json"}), 1).object();
  EXPECT_TRUE(early.at("output").is_null());
  EXPECT_TRUE(early.at("best_step").is_null());
  EXPECT_FALSE(FileExists(folder / "none.onnx"));
}

TEST(TrainCommand, RefusesOptionsThatContradictEachOther) {
  const TestFolder folder;
  const std::pair<Arguments, const char*> cases[] = {
      {{"--epochs", "3"}, "--epochs and --steps"},
      {{"--optimizer", "adamw", "--nesterov"}, "--nesterov is sgd's"},
      {{"--optimizer", "adamw", "--momentum", "0.5"}, "--momentum is sgd's"},
      {{"--warmup", "2"}, "not shorter than the run of 2"},
      {{"--validation", "0", "--patience", "1"}, "nothing is validated"},
      {{"--checkpoint", folder / std::string(300, 'x'), "--resume"}, "File name too long"},
  };
  for (const auto& [more, message] : cases) {
    Arguments arguments = Short({"train", kModel, "-o", folder / "tuned.onnx"});
    for (const std::string& argument : more) {
      const auto given = std::find(arguments.begin(), arguments.end(), argument);
      if (argument == "--validation" && given != arguments.end()) arguments.erase(given, given + 2);
    }
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = Pare(arguments);
    EXPECT_NE(ran.code, 0) << message;
    EXPECT_NE(ran.err.find(message), std::string::npos) << ran.err;
  }
}

TEST(TrainCommand, NeverOverwritesWhatItReadsOrWrites) {
  const TestFolder folder;
  const std::string model = folder.Write("model.onnx", Content(kModel));
  const std::string data = folder.Write("data.bin", Content(kPictures));
  const std::string classes = folder.Write("plot.svg", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
  const std::string teacher = folder.Write("teacher.onnx", Content(kModel));
  const auto refused = [&](Arguments arguments, Arguments more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    arguments.insert(arguments.end(), {"--data", data, "--classes", classes});
    const Ran ran = Pare(Short(arguments));
    EXPECT_EQ(ran.code, 2) << more[0] << ' ' << more[1] << '\n' << ran.err;
    EXPECT_EQ(Content(model), Content(kModel));
    EXPECT_EQ(Content(data), Content(kPictures));
    EXPECT_TRUE(Content(classes).starts_with("a\nb"));
    return ran.err;
  };
  const Arguments train = {"train", model};
  const std::string out = folder / "out.onnx";
  for (const std::string& input : {model, data, classes}) {
    EXPECT_NE(refused(train, {"-o", input}).find("would be overwritten"), std::string::npos);
    EXPECT_NE(refused(train, {"--checkpoint", input, "-o", out}).find("would be overwritten"),
              std::string::npos);
  }
  refused(train, {"--curve", folder / "plot", "-o", out});
  refused(train, {"--checkpoint", out, "-o", out});
  const Arguments distill = {"distill", "--student", model, "--teacher", teacher};
  refused(distill, {"-o", teacher});
  refused(distill, {"--cache", teacher, "-o", out});
  refused(distill, {"--cache", out, "-o", out});
}

// Weights beside the model's file are inputs, too.
TEST(TrainCommand, KnowsLabelsAndWeightsThatLieBeside) {
  const TestFolder folder;
  for (const char* name : {"mlp_external.onnx", "mlp_external.data"})
    folder.Write(name, Content(SourcePath("tests/models/") / name));
  const Tensor rows = Tensor::Zeros(DType::kF32, {8, 20}).value();
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", rows));
  ASSERT_TRUE(data::SaveNpy(folder / "x_labels.npy", Tensor::Zeros(DType::kI64, {8}).value()));
  for (const char* name : {"mlp_external.data", "x_labels.npy"}) {
    const std::string before = Content(folder / name);
    for (const Arguments& more :
         {Arguments{"-o", folder / name},
          Arguments{"-o", folder / "o.onnx", "--checkpoint", folder / name}}) {
      Arguments arguments = {"train", folder / "mlp_external.onnx", "--data", folder / "x.npy"};
      arguments.insert(arguments.end(), more.begin(), more.end());
      const Ran ran = Pare(arguments);
      EXPECT_EQ(ran.code, 2) << ran.err;
      EXPECT_NE(ran.err.find("would be overwritten"), std::string::npos) << ran.err;
      EXPECT_EQ(Content(folder / name), before);
    }
  }
}

// float16 models compute in float32 and keep their inputs and outputs.
TEST(TrainCommand, TrainsModelsOfOtherFloatTypes) {
  const TestFolder folder;
  const std::string half = SourcePath("tests/models/half_model.onnx");
  Random random(3);
  Tensor pictures = Tensor::Make(DType::kF32, {32, 3, 6, 6}).value();
  for (float& x : pictures.mutable_as<float>()) x = random.Normal();
  std::vector<int64_t> labels(32);
  for (int64_t& label : labels) label = random.Below(5);
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", pictures));
  ASSERT_TRUE(data::SaveNpy(folder / "x_labels.npy", Tensor::Of<int64_t>({32}, labels)));
  const Arguments how = {"--data", folder / "x.npy", "--steps", "20", "--batch",
                         "8",      "--validation",   "8"};
  const auto run = [&](Arguments arguments) {
    arguments.insert(arguments.end(), how.begin(), how.end());
    const Ran ran = Pare(arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.err;
  };
  const std::string tuned = folder / "tuned.onnx", taught = folder / "taught.onnx";
  EXPECT_NE(run({"train", half, "-o", tuned, "--rate", "0.1"}).find("not float32"),
            std::string::npos);
  const auto model = model::Model::Load(tuned);
  ASSERT_TRUE(model);
  EXPECT_EQ(model::InputSpecs(model->graph())[0].dtype, DType::kF16);
  EXPECT_NE(Content(tuned), Content(half));
  run({"distill", "--teacher", half, "--student", half, "-o", taught, "--alpha", "0.5"});
  run({"distill", "--teacher", half, "--student", tuned, "-o", taught});
}

TEST(TrainCommand, LearnsValues) {
  const TestFolder folder;
  auto graph = graph::Parse(R"(
input x: f32[N,3]
const w: f32[3,1] = fill(0.1)
const b: f32[1] = fill(0)
y = Gemm(x, w, b)
output y
)");
  ASSERT_TRUE(graph);
  ASSERT_TRUE(ops::InferTypes(*graph));
  ASSERT_TRUE(onnx::Export(*graph, folder / "m.onnx"));
  std::string rows = "width,height,age\n", values = "price\n";
  Random random(5);
  for (int i = 0; i < 80; ++i) {
    const float a = random.Normal(), b = random.Normal(), c = random.Normal();
    rows += Text(a, ',', b, ',', c, '\n');
    values += Text(2 * a - b + 0.5f * c + 1, '\n');
  }
  folder.Write("x.csv", rows);
  folder.Write("y.csv", values);
  const auto run = [&](Arguments more) {
    Arguments arguments{
        "train", folder / "m.onnx", "--data", folder / "x.csv", "-o", folder / "o.onnx", "--steps",
        "100",   "--validation",    "16",     "--batch",        "16", "--rate",          "0.2",
        "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Pare(arguments);
  };
  for (const char* loss : {"mse", "huber"}) {
    const Ran ran = run({"--targets", folder / "y.csv", "--loss", loss});
    ASSERT_EQ(ran.code, 0) << ran.err;
    const json::object report = json::parse(ran.out).as_object();
    EXPECT_EQ(report.at("score").as_string(), "r2");
    EXPECT_LT(report.at("score_before").as_double(), 0.9);
    EXPECT_GT(report.at("score_after").as_double(), 0.999);
  }
  const auto model = model::Model::Load(folder / "o.onnx");
  ASSERT_TRUE(model);
  EXPECT_FALSE(data::Preprocess::In(model->graph().metadata)) << "rows of numbers are not prepared";

  EXPECT_NE(run({"--loss", "mse"}).err.find("--targets FILE"), std::string::npos);
  EXPECT_NE(run({"--targets", folder / "y.csv", "--loss", "cosine"}).err.find("is a sign"),
            std::string::npos);
  EXPECT_NE(run({"--targets", folder / "y.csv", "--smoothing", "0.1"}).err.find("leave it out"),
            std::string::npos);
  EXPECT_NE(run({"--targets", folder / "x.csv"}).err.find("has 3 values"), std::string::npos);
  folder.Write("few.csv", "price\n1\n2\n");
  EXPECT_NE(run({"--targets", folder / "few.csv"}).err.find("targets for 2 samples"),
            std::string::npos);
}

// What no loss sees would stay random.
TEST(TrainCommand, LeavesOtherOutputsTheirWeightsWhereItBeginsFromScratch) {
  const TestFolder folder;
  auto graph = graph::Parse(R"(
input x: f32[N,3]
const w: f32[3,4] = fill(0.5)
const v: f32[4,1] = fill(0.25)
const u: f32[4,2] = fill(0.125)
h = MatMul(x, w)
y = MatMul(h, v)
z = MatMul(h, u)
output y
output z
)");
  ASSERT_TRUE(graph && ops::InferTypes(*graph));
  ASSERT_TRUE(onnx::Export(*graph, folder / "m.onnx"));
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", Tensor::Zeros(DType::kF32, {16, 3}).value()));
  ASSERT_TRUE(data::SaveNpy(folder / "y.npy", Tensor::Zeros(DType::kF32, {16, 1}).value()));
  const Ran ran = Pare({"train", folder / "m.onnx", "--data", folder / "x.npy", "--targets",
                        folder / "y.npy", "-o", folder / "o.onnx", "--from-scratch", "--steps", "1",
                        "--batch", "8", "--rate", "0.1", "--validation", "0"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto model = model::Model::Load(folder / "o.onnx");
  ASSERT_TRUE(model);
  const auto first = [&](const char* name) {
    return model->graph().value(model->graph().FindValue(name)).data.as<float>()[0];
  };
  EXPECT_NE(first("w"), 0.5f);
  EXPECT_NE(first("v"), 0.25f);
  EXPECT_EQ(first("u"), 0.125f);
}

// The model with the smaller half of each layer's filters' numbers at 0.
std::string SparseModel(const TestFolder& folder) {
  graph::Graph graph = model::Model::Load(kModel, train::kTrainable).value().graph();
  for (graph::NodeId id : graph.Order()) {
    if (graph.node(id).op != "Conv") continue;
    const graph::ValueId weights = graph.node(id).inputs[1];
    const Tensor& data = graph.value(weights).data;
    Tensor thin = Tensor::Of<float>(data.shape(), data.as<float>());
    std::vector<float> sizes;
    for (float x : thin.as<float>()) sizes.push_back(std::abs(x));
    std::nth_element(sizes.begin(), sizes.begin() + std::ssize(sizes) / 2, sizes.end());
    const float limit = sizes[sizes.size() / 2];
    for (float& x : thin.mutable_as<float>()) x = std::abs(x) < limit ? 0 : x;
    graph.SetConstant(weights, thin);
  }
  EXPECT_TRUE(onnx::Export(graph, folder / "sparse.onnx"));
  return folder / "sparse.onnx";
}

// What led to the file: data by its hash, as with quantize.
TEST(TrainCommand, LeavesARecord) {
  const TestFolder folder;
  const auto record = [&](Arguments arguments) {
    const std::string output = folder / "out.onnx";
    arguments.insert(arguments.end(), {"-o", output});
    const Ran ran = Pare(Short(arguments));
    EXPECT_EQ(ran.code, 0) << ran.err;
    const auto model = model::Model::Load(output);
    return json::parse(model->graph().metadata.at("pare.run")).as_object();
  };
  const json::object train = record({"train", kModel});
  const std::string student = SparseModel(folder);
  const json::object distill = record({"distill", "--student", student, "--teacher", kModel});
  EXPECT_EQ(train.at("command").as_string(), "train");
  EXPECT_FALSE(train.at("data_hash").as_string().empty());
  EXPECT_EQ(train.at("data_hash"), distill.at("data_hash"));
  EXPECT_EQ(train.at("samples").as_int64(), 2000);
  EXPECT_EQ(distill.at("teachers").as_array().at(0).as_string(), kModel);
}

struct Sparsity {
  int64_t zeros = 0, kept = 0, moved = 0;  // of `before`; of them in `after`; others that differ
};

Sparsity CompareFilters(const graph::Graph& before, const graph::Graph& after) {
  Sparsity sparsity;
  for (graph::NodeId id : before.Order()) {
    if (before.node(id).op != "Conv") continue;
    const graph::Value& weights = before.value(before.node(id).inputs[1]);
    const auto old = weights.data.as<float>(),
               now = after.value(after.FindValue(weights.name)).data.as<float>();
    for (size_t i = 0; i < old.size(); ++i) {
      sparsity.zeros += old[i] == 0;
      sparsity.kept += old[i] == 0 && now[i] == 0;
      sparsity.moved += old[i] != 0 && now[i] != old[i];
    }
  }
  return sparsity;
}

TEST(TrainCommand, KeepsTheZerosOfASparseModel) {
  const TestFolder folder;
  const std::string sparse = SparseModel(folder), output = folder / "tuned.onnx";
  const auto before = model::Model::Load(sparse, train::kTrainable).value();
  const auto trained = [&](Arguments arguments, std::string_view note) {
    arguments.insert(arguments.end(),
                     {"-o", output, "--weight-decay", "0.01", "--validation", "0"});
    const Ran ran = Pare(Short(arguments));
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_NE(ran.err.find(note), std::string::npos) << ran.err;
    const auto after = model::Model::Load(output, train::kTrainable).value();
    for (graph::NodeId id : after.graph().Order())
      EXPECT_FALSE(after.graph().node(id).op.starts_with("pare.")) << after.graph().node(id).op;
    EXPECT_EQ(after.graph().Order().size(), before.graph().Order().size());
    return CompareFilters(before.graph(), after.graph());
  };
  const Sparsity all = trained({"train", sparse}, "");
  EXPECT_GT(all.zeros, 100000);
  EXPECT_LT(all.kept, all.zeros / 5);  // those of filters that nothing passes
  const std::string note = Text(all.zeros, " of ", 2 * all.zeros, " weights in 19");
  for (const Arguments& command :
       {Arguments{"train", sparse},
        Arguments{"distill", "--student", sparse, "--teacher", kModel}}) {
    Arguments keeping = command;
    keeping.push_back("--keep-zeros");
    const Sparsity kept = trained(keeping, note);
    EXPECT_EQ(kept.kept, all.zeros);
    EXPECT_GT(kept.moved, all.zeros * 9 / 10);
  }
}

// One step, whose gradient is the same with and without decay.
TEST(TrainCommand, DecaysMatricesAndFilters) {
  const TestFolder folder;
  constexpr double kRate = 0.1, kDecay = 0.5;
  const graph::Graph before = model::Model::Load(kModel, train::kTrainable)->graph();
  const graph::ValueId filter = before.FindValue("conv1.weight");
  ASSERT_NE(filter, graph::ValueId::kNone);
  const std::string node = before.node(before.value(filter).uses[0].node).name;
  const auto weights = [&](const graph::Graph& graph, const char* name) {
    const Tensor tensor = graph.value(graph.FindValue(name)).data;
    const auto values = tensor.as<float>();
    return std::vector<double>(values.begin(), values.end());
  };
  for (const std::string optimizer : {"adamw", "sgd"}) {
    const auto after = [&](const Arguments& more) {
      Arguments arguments = {
          "train",   kModel,   "-o", folder / "o.onnx", "--rate", "0.1",          "--optimizer",
          optimizer, "--clip", "1",  "--steps",         "1",      "--validation", "0"};
      arguments.insert(arguments.end(), more.begin(), more.end());
      const Ran ran = Pare(Short(arguments));
      EXPECT_EQ(ran.code, 0) << ran.err;
      return model::Model::Load(folder / "o.onnx", train::kTrainable)->graph();
    };
    const auto w = weights(before, "conv1.weight"), plain = weights(after({}), "conv1.weight");
    const graph::Graph all = after({"--weight-decay", "0.5"});
    const auto decayed = weights(all, "conv1.weight");
    for (size_t i = 0; i < w.size(); ++i)
      ASSERT_NEAR(decayed[i], plain[i] - kRate * kDecay * w[i], 1e-5 + 1e-5 * std::abs(w[i])) << i;
    // By the name of the weight, or of the node that reads it: as --freeze does.
    for (const std::string& pattern : {std::string("conv1.weight"), node}) {
      const graph::Graph spared = after({"--weight-decay", "0.5", "--no-decay", pattern});
      EXPECT_EQ(weights(spared, "conv1.weight"), plain) << pattern;
      EXPECT_EQ(weights(spared, "layer1.0.conv1.weight"), weights(all, "layer1.0.conv1.weight"))
          << pattern;
      const json::object run = json::parse(spared.metadata.at("pare.run")).as_object();
      EXPECT_EQ(json::serialize(run.at("no_decay")), "[\"conv1.weight\"]");
    }
  }
}

TEST(TrainCommand, SaysWhatIsWrong) {
  const TestFolder folder;
  const auto error = [&](Arguments more) {
    Arguments arguments = {"train", kModel, "-o", folder / "x.onnx"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Ran ran = Pare(Short(arguments));
    EXPECT_NE(ran.code, 0);
    EXPECT_FALSE(std::filesystem::exists(folder / "x.onnx"));
    return ran.err;
  };
  EXPECT_NE(error({"--freeze", "no_such*"}).find("no weight is called \"no_such*\""),
            std::string::npos);
  for (const char* option : {"--freeze", "--train-only"}) {
    EXPECT_NE(error({option, "no_such*"}).find("`pare inspect --nodes` lists the nodes"),
              std::string::npos);
  }
  EXPECT_NE(error({"--freeze", "*"}).find("fewer --freeze patterns"), std::string::npos);
  EXPECT_NE(error({"--no-decay", "conv1*"}).find("none decay"), std::string::npos);
  EXPECT_NE(error({"--no-decay", "no_such*", "--weight-decay", "0.1"})
                .find("no weight that is trained is called \"no_such*\""),
            std::string::npos);
  EXPECT_NE(error({"--schedule", "linear"}).find("no schedule"), std::string::npos);
  EXPECT_NE(error({"--rate", "1e30"}).find("not finite"), std::string::npos);
  EXPECT_NE(error({"--rate", "-1"}).find("not between"), std::string::npos);
  EXPECT_NE(error({"--smoothing", "2"}).find("not between"), std::string::npos);
  EXPECT_NE(error({"--resume"}).find("--checkpoint FILE"), std::string::npos);
  EXPECT_NE(error({"--checkpoint-every", "3"}).find("no checkpoint is kept"), std::string::npos);
  EXPECT_NE(error({"--rate", "0"}).find("nothing is learned"), std::string::npos);
  EXPECT_NE(error({"--keep-zeros", "--from-scratch"}).find("give one of them"), std::string::npos);
  const std::string int8 = SourcePath("tests/models/qdq_cnn.onnx");
  const Ran ran = Pare({"train", int8, "--data", kPictures, "-o", folder / "y.onnx"});
  EXPECT_NE(ran.err.find("qdq_cnn.onnx: the model is quantized"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace pare
