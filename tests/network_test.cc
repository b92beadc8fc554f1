// Networks written as formulas, and their training, through the public headers alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data/npy.h"
#include "onnx/export.h"
#include "pare/compress.h"
#include "pare/session.h"
#include "pare/train.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "running.h"
#include "train/parameters.h"

namespace pare {
namespace {

const std::string kPictures = SourcePath("examples/demo/cifar10_test_2000.bin");

Result<Tensor> RunOne(const Model& model, const Tensor& input) {
  PARE_ASSIGN(Session session, Session::Make(model, {.threads = 1}));
  PARE_ASSIGN(std::vector<Tensor> outputs, session.Run({&input, 1}));
  return outputs.at(0);
}

Tensor Filled(const Dims& shape, std::initializer_list<float> values) {
  Tensor tensor = *Tensor::Make(DType::kF32, shape);
  std::copy(values.begin(), values.end(), tensor.mutable_as<float>().begin());
  return tensor;
}

// Two rows of pixels, classified by a small network; the same seed gives the same weights.
Result<Model> Classifier(uint64_t seed) {
  Network net(seed);
  Value h = net.Input("pictures", {3, 32, 32});
  h = MaxPool(Relu(net.BatchNorm(net.Conv(h, 8, 3, /*stride=*/2))), 2);
  net.Output("logits", net.Linear(GlobalAveragePool(h), 10));
  return net.Build();
}

TrainOptions Short() {
  TrainOptions options;
  options.preprocess = {{"mean", "0.485,0.456,0.406"}, {"std", "0.229,0.224,0.225"}};
  options.steps = 40;
  options.batch = 16;
  options.validation = 100;
  options.rate = 0.05;
  options.threads = 2;
  return options;
}

TEST(Network, ComputesItsFormula) {
  Network net;
  const Value x = net.Input("x", {4});
  net.Output("y", Relu(x * x - x) + Sigmoid(x - x));
  const auto model = net.Build();
  ASSERT_TRUE(model) << model.error().message();
  const auto y = RunOne(*model, Filled({1, 4}, {-1, 0.5f, 2, 3}));
  ASSERT_TRUE(y) << y.error().message();
  EXPECT_TRUE(Near(*y, Filled({1, 4}, {2.5f, 0.5f, 2.5f, 6.5f}), {}));
}

TEST(Network, NamesInputsAndOutputsAndLeavesTheBatchFree) {
  const auto model = Classifier(1);
  ASSERT_TRUE(model) << model.error().message();
  ASSERT_EQ(model->inputs().size(), 1u);
  EXPECT_EQ(model->inputs()[0].name, "pictures");
  EXPECT_EQ(model->inputs()[0].shape, (std::vector<int64_t>{-1, 3, 32, 32}));
  EXPECT_EQ(model->outputs()[0].name, "logits");
  EXPECT_EQ(model->outputs()[0].shape, (std::vector<int64_t>{-1, 10}));
}

TEST(Network, WeightsFollowFromTheSeed) {
  const TestFolder folder;
  for (uint64_t seed : {1, 2}) {
    const auto model = Classifier(seed), again = Classifier(seed);
    ASSERT_TRUE(model && again);
    ASSERT_TRUE(model->Save(folder / Text("a", seed)) && again->Save(folder / Text("b", seed)));
    EXPECT_EQ(*ReadFile(folder / Text("a", seed)), *ReadFile(folder / Text("b", seed)));
  }
  EXPECT_NE(*ReadFile(folder / "a1"), *ReadFile(folder / "a2"));
}

TEST(Network, KeepsTheFirstErrorUntilItIsBuilt) {
  Network net;
  const Value a = net.Input("a", {4}), b = net.Input("b", {5});
  net.Output("y", net.Linear(a + b, 3));
  const auto model = net.Build();
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message().find("Add"), std::string::npos) << model.error().message();
}

TEST(Network, RefusesNamesThatAreTakenOrMissing) {
  const auto error = [](const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs) -> std::string {
    Network net;
    for (const std::string& name : inputs) {
      const Value y = net.Linear(net.Input(name, {4}), 3);
      for (const std::string& output : outputs) net.Output(output, y);
    }
    const auto model = net.Build();
    if (model) return "";
    EXPECT_EQ(model.error().kind(), ErrorKind::kUsage);
    return model.error().message();
  };
  const auto contains = [](const std::string& message, std::string_view part) {
    return message.find(part) != std::string::npos;
  };
  EXPECT_EQ(error({"x"}, {"y", "z"}), "");
  EXPECT_TRUE(contains(error({"x"}, {"y", "y"}), "two outputs are called \"y\""));
  EXPECT_TRUE(contains(error({"x"}, {""}), "an output has no name"));
  EXPECT_TRUE(contains(error({"x"}, {"x"}), "an output is called as the input \"x\""));
  EXPECT_TRUE(contains(error({""}, {"y"}), "an input has no name"));
  EXPECT_TRUE(contains(error({"x", "x"}, {"y"}), "an input is called \"x\", and so is"));
  EXPECT_TRUE(contains(error({"x", "linear.weight"}, {"y"}), "so is a weight of a layer"));
}

TEST(Network, TakesNoValuesOfAnother) {
  Network one(1), two(2);
  const Value a = one.Input("a", {4}), b = two.Input("b", {4});
  one.Output("y", one.Linear(a + b, 3));
  const auto model = one.Build();
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().kind(), ErrorKind::kUsage);
  EXPECT_NE(model.error().message().find("two networks"), std::string::npos);
  Network three(3);
  three.Output("y", three.Linear(three.Input("x", {4}), 3));
  EXPECT_TRUE(three.Build());
  three.Output("z", three.LayerNorm(one.Input("c", {4})));
  const auto other = three.Build();
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message().find("another network"), std::string::npos);
}

TEST(Network, AValueThatIsNoneIsNotLeftOut) {
  Network net;
  const Value x = net.Input("x", {4});
  net.Output("a", x);
  net.Output("b", Value());
  const auto model = net.Build();
  ASSERT_FALSE(model);
  EXPECT_NE(model.error().message().find("a value that is none"), std::string::npos);
}

TEST(Network, LearnsFromLabels) {
  const auto model = Classifier(1);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  const auto trained = Train(*model, *data, Short());
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_EQ(trained->steps, 40);
  EXPECT_GT(trained->score_after, trained->score_before);
  EXPECT_EQ(trained->model.metadata().at("pare.preprocess.mean"), "0.485,0.456,0.406");
}

TEST(Network, ALabelThatIsNoClassIsFoundBeforeTheRun) {
  Network net(1);
  net.Output("y", net.Linear(Flatten(net.Input("x", {3, 32, 32})), 7));
  const auto model = net.Build();
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  TrainOptions options = Short();
  int64_t steps = 0;
  options.progress = [&](const TrainProgress&) { return ++steps > 0; };
  const auto trained = Train(*model, *data, options);
  ASSERT_FALSE(trained);
  EXPECT_EQ(steps, 0);
  EXPECT_EQ(trained.error().kind(), ErrorKind::kUsage);
  EXPECT_NE(trained.error().message().find("is none of the model's 7 classes (0…6)"),
            std::string::npos)
      << trained.error().message();
}

TEST(Network, RefusesToTrainAQuantizedModel) {
  const auto model = Model::Load(SourcePath("tests/models/qdq_cnn.onnx"));
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  const auto trained = Train(*model, *data, Short());
  ASSERT_FALSE(trained);
  EXPECT_EQ(trained.error().kind(), ErrorKind::kUnsupported);
  EXPECT_NE(trained.error().message().find("qdq_cnn.onnx: the model is quantized"),
            std::string::npos)
      << trained.error().message();
}

TEST(Network, LearnsFromATeacher) {
  const auto student = Classifier(1);
  const auto teacher = Model::Load(SourcePath("examples/demo/resnet20_cifar10_fp32.onnx"));
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(student && teacher && data);
  const auto trained = Distill(*teacher, *student, *data, Short());
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_GT(trained->score_after, trained->score_before);
}

TEST(Network, LearnsValues) {
  const TestFolder folder;
  std::string rows = "a,b\n", values = "difference\n";
  for (int i = 0; i < 200; ++i) {
    const double a = std::sin(i), b = std::cos(3 * i);
    rows += Text(a, ',', b, '\n');
    values += Text(a - b, '\n');
  }
  const auto data = Dataset::Open(folder.Write("x.csv", rows));
  const auto targets = Dataset::Open(folder.Write("y.csv", values));
  Network net(1);
  net.Output("y", net.Linear(net.Input("x", {2}), 1));
  const auto model = net.Build();
  ASSERT_TRUE(data && targets && model);
  TrainOptions options;
  options.batch = 16;
  options.epochs = 120;
  options.target_loss = "huber";
  const auto trained = TrainByTargets(*model, *data, *targets, options);
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_LT(trained->score_before, 0.9);
  EXPECT_GT(trained->score_after, 0.999);
  options.target_loss = "soft";
  EXPECT_FALSE(TrainByTargets(*model, *data, *targets, options));
}

TEST(Dataset, TakesWhatAModelStoresOfItsTable) {
  const TestFolder folder;
  graph::Graph graph = graph::Parse(
                           "opset 17\ninput x: f32[N,2]\nconst w: f32[2,2] = [1,0,0,1]\n"
                           "y: f32[N,2] = MatMul(x, w)\noutput y\n")
                           .value();
  graph.metadata = {{"pare.columns", "a\nb\n"}, {"pare.label", "kind"}};
  ASSERT_TRUE(onnx::Export(graph, folder / "m.onnx"));
  const auto model = Model::Load(folder / "m.onnx");
  ASSERT_TRUE(model) << model.error().message();
  const std::string turned = folder.Write("t.csv", "b,kind,c,a\n1,0,7,2\n3,1,7,4\n");
  const auto data = Dataset::Open(turned, *model);
  ASSERT_TRUE(data) << data.error().message();
  EXPECT_EQ(data->size(), 2);
  EXPECT_TRUE(data->has_labels());
  EXPECT_FALSE(Dataset::Open(turned)->has_labels());
  // Column c would not fit the model.
  TrainOptions options;
  options.batch = 2;
  options.steps = 1;
  options.validation = 0;
  EXPECT_TRUE(Train(*model, *data, options));
  const auto lacking = Dataset::Open(folder.Write("u.csv", "b,d\n1,2\n"), *model);
  ASSERT_FALSE(lacking);
  EXPECT_EQ(lacking.error().kind(), ErrorKind::kUsage);
  EXPECT_NE(lacking.error().message().find("u.csv: has no column a"), std::string::npos)
      << lacking.error().message();
}

TEST(Dataset, BringsTheTargetsThatQuantizeMeasuresBy) {
  const TestFolder folder;
  graph::Graph graph = graph::Parse(
                           "opset 17\ninput x: f32[N,2]\nconst w: f32[2,1] = [0.7,-0.4]\n"
                           "y: f32[N,1] = MatMul(x, w)\noutput y\n")
                           .value();
  graph.metadata = {{"pare.columns", "a\nb\n"}, {"pare.targets", "y\n"}};
  ASSERT_TRUE(onnx::Export(graph, folder / "m.onnx"));
  std::string rows = "a,b,y\n";
  for (int i = 0; i < 200; ++i) {
    const double a = std::sin(i), b = std::cos(3 * i);
    rows += Text(a, ',', b, ',', 0.7 * a - 0.4 * b, '\n');
  }
  const auto model = Model::Load(folder / "m.onnx");
  ASSERT_TRUE(model) << model.error().message();
  const auto data = Dataset::Open(folder.Write("x.csv", rows), *model);
  ASSERT_TRUE(data) << data.error().message();
  QuantizeOptions options;
  options.calibration = 50;
  options.any_target = true;
  options.max_drop = 2;
  const auto quantized = Quantize(*model, *data, options);
  ASSERT_TRUE(quantized) << quantized.error().message();
  EXPECT_FALSE(quantized->agreement);
  EXPECT_NEAR(quantized->r2_a.value_or(0), 1, 1e-6);
  EXPECT_GT(quantized->r2_b.value_or(0), 0.98);
  EXPECT_LT(quantized->r2_b.value_or(1), 1);
  options.calibration = 300;  // more than there are, which is told
  const auto few = Quantize(*model, *data, options);
  ASSERT_TRUE(few) << few.error().message();
  const auto tells = [](const std::string& note) { return note.find("calibrat") != note.npos; };
  EXPECT_TRUE(std::ranges::any_of(few->notes, tells));
  EXPECT_FALSE(std::ranges::any_of(quantized->notes, tells));
}

// One number a sample: its sign would say nothing.
TEST(Network, LearnsARegressionFromATeacher) {
  const auto regressor = [](uint64_t seed, int64_t channels) {
    Network net(seed);
    Value h = net.Input("pictures", {3, 32, 32});
    h = MaxPool(Relu(net.BatchNorm(net.Conv(h, channels, 3, /*stride=*/2))), 2);
    net.Output("y", net.Linear(GlobalAveragePool(h), 1));
    return net.Build();
  };
  const auto teacher = regressor(5, 16), student = regressor(6, 4);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(teacher && student && data);
  TrainOptions options = Short();
  options.validate_every = 10;
  options.rate = 0.01;
  const auto trained = Distill(*teacher, *student, *data, options);
  ASSERT_TRUE(trained) << trained.error().message();
  EXPECT_GT(trained->score_after, trained->score_before + 3);
}

TEST(Network, StopsWhereItIsToldAndGoesOn) {
  const TestFolder folder;
  const auto model = Classifier(1);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  TrainOptions options = Short();
  options.steps = 12;
  const auto whole = Train(*model, *data, options);
  ASSERT_TRUE(whole) << whole.error().message();
  options.checkpoint = folder / "run.npz";
  options.resume = true;
  TrainProgress last;
  options.progress = [&](const TrainProgress& now) {
    if (now.stage != "training") return true;
    last = now;
    return now.done < 5;
  };
  const auto stopped = Train(*model, *data, options);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(last.done, 5);
  EXPECT_EQ(last.total, 12);
  EXPECT_NE(last.now.find("loss"), std::string::npos) << last.now;
  options.progress = nullptr;
  const auto resumed = Train(*model, *data, options);
  ASSERT_TRUE(resumed) << resumed.error().message();
  ASSERT_TRUE(whole->model.Save(folder / "whole.onnx"));
  ASSERT_TRUE(resumed->model.Save(folder / "resumed.onnx"));
  EXPECT_EQ(*ReadFile(folder / "whole.onnx"), *ReadFile(folder / "resumed.onnx"));
}

TEST(Network, NamesATeacherWhoseAnswersAreNoNumbers) {
  const TestFolder folder;
  const std::string path = WriteModel(folder / "bad.onnx", R"(
opset 17
input x: f32[N,3,32,32]
const w: f32[3,10] = fill(nan)
g: f32[N,3,1,1] = GlobalAveragePool(x)
f: f32[N,3] = Flatten(g)
y: f32[N,10] = MatMul(f, w)
output y
)");
  const auto teacher = Model::Load(path), student = Classifier(1);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(teacher && student && data);
  const auto trained = Distill(*teacher, *student, *data, Short());
  ASSERT_FALSE(trained);
  EXPECT_EQ(trained.error().kind(), ErrorKind::kInvalid);
  EXPECT_NE(trained.error().message().find("bad.onnx: the teacher's output \"y\" is not finite"),
            std::string::npos)
      << trained.error().message();
}

// As the program writes them to its output, beside the same error.
TEST(Network, GivesTheBestWeightsOfARunThatIsStopped) {
  const TestFolder folder;
  const auto model = Classifier(1);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  TrainOptions options = Short();
  options.validate_every = 10;
  options.progress = [&](const TrainProgress& now) {
    return now.stage != "training" || now.done < 35;
  };
  std::optional<TrainResult> best;
  options.rescue = [&](const TrainResult& found) { best = found; };
  const auto stopped = Train(*model, *data, options);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind(), ErrorKind::kCancelled);
  ASSERT_TRUE(best);
  EXPECT_GT(best->score_after, best->score_before);
  EXPECT_EQ(best->model.metadata().at("pare.preprocess.mean"), "0.485,0.456,0.406");
  EXPECT_NE(stopped.error().message().find("are in what rescue was given"), std::string::npos)
      << stopped.error().message();
  ASSERT_TRUE(best->model.Save(folder / "best.onnx"));
  EXPECT_TRUE(Model::Load(folder / "best.onnx"));
  // Stopped before any validation found better ones.
  best.reset();
  options.progress = [](const TrainProgress& now) { return now.done < 5; };
  EXPECT_FALSE(Train(*model, *data, options));
  EXPECT_FALSE(best);
}

// Of the command line.
TEST(TrainOptions, GoByTheirNamesInErrorsAndNotes) {
  const TestFolder folder;
  const auto model = Classifier(1);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  const auto error = [&](auto change) {
    TrainOptions options = Short();
    options.steps = 2;
    options.checkpoint = folder / "run.npz";
    change(options);
    const auto trained = Train(*model, *data, options);
    if (!trained) return trained.error().message();
    std::string notes;
    for (const std::string& note : trained->notes) notes += note + '\n';
    return notes;
  };
  const auto tells = [](const std::string& message, std::string_view part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(message.find("--"), std::string::npos) << message;
  };
  tells(error([](TrainOptions& o) { o.parts = 5; }), "the parts have to divide batch");
  tells(error([](TrainOptions& o) { o.max_memory_mb = 1; }), "max_memory_mb counts MB: ");
  tells(error([](TrainOptions& o) { o.resume = true; }), "resume found no checkpoint");
  tells(error([](TrainOptions&) {}), "resume goes on from it");
  tells(error([](TrainOptions& o) {
          o.resume = true;
          o.clip_norm = 0.5;
        }),
        "clip_norm: the checkpoint was made with");
  tells(error([](TrainOptions& o) { o.freeze = {"*"}; }), "freeze patterns");
}

TEST(Network, RefusesAnUnknownOptimizer) {
  const auto model = Classifier(1);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  TrainOptions options = Short();
  options.optimizer = "adam";
  const auto trained = Train(*model, *data, options);
  ASSERT_FALSE(trained);
  EXPECT_NE(trained.error().message().find("adamw"), std::string::npos)
      << trained.error().message();
}

// Of the command line; no option out of them reaches what computes.
TEST(TrainOptions, HaveBounds) {
  const auto model = Classifier(1);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  const auto refused = [&](std::string_view name, auto change) {
    TrainOptions options = Short();
    change(options);
    for (const auto& trained :
         {Train(*model, *data, options), Distill(*model, *model, *data, options),
          TrainByTargets(*model, *data, *data, options)}) {
      ASSERT_FALSE(trained) << name;
      EXPECT_EQ(trained.error().kind(), ErrorKind::kUsage);
      EXPECT_NE(trained.error().message().find(name), std::string::npos)
          << trained.error().message();
    }
  };
  refused("validation is -1", [](TrainOptions& o) { o.validation = -1; });
  refused("epochs is -1", [](TrainOptions& o) { o.epochs = -1; });
  refused("steps is -3", [](TrainOptions& o) { o.steps = -3; });
  refused("batch is 0", [](TrainOptions& o) { o.batch = 0; });
  refused("rate is -1", [](TrainOptions& o) { o.rate = -1; });
  refused("rate is ", [](TrainOptions& o) { o.rate = NAN; });
  refused("smoothing is 2", [](TrainOptions& o) { o.smoothing = 2; });
  refused("alpha is 5", [](TrainOptions& o) { o.alpha = 5; });
  refused("temperature is 0", [](TrainOptions& o) { o.temperature = 0; });
  refused("clip_norm is -1", [](TrainOptions& o) { o.clip_norm = -1; });
  refused("resume needs", [](TrainOptions& o) { o.resume = true; });
}

bool Tells(const TrainResult& trained, std::string_view what) {
  return std::any_of(trained.notes.begin(), trained.notes.end(),
                     [&](const std::string& note) { return note.find(what) != std::string::npos; });
}

std::string Bytes(const TrainResult& trained, const std::string& path) {
  EXPECT_TRUE(trained.model.Save(path));
  return ReadFile(path).value_or("");
}

TEST(TrainOptions, LeaveTheRateToTrials) {
  const TestFolder folder;
  const auto model = Classifier(1);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  TrainOptions options = Short();
  options.steps = 12;
  options.rate = 0;
  options.validation = 0;  // else the start's weights might be the best
  const auto chosen = Train(*model, *data, options);
  ASSERT_TRUE(chosen) << chosen.error().message();
  EXPECT_GT(chosen->rate, 0);
  ASSERT_FALSE(chosen->notes.empty());
  EXPECT_NE(chosen->notes.back().find("the learning rate is"), std::string::npos);
  options.rate = chosen->rate;
  const auto given = Train(*model, *data, options);
  ASSERT_TRUE(given);
  EXPECT_EQ(given->rate, chosen->rate);
  EXPECT_EQ(Bytes(*given, folder / "given.onnx"), Bytes(*chosen, folder / "chosen.onnx"));
}

TEST(TrainOptions, ChooseTheOptimizerByTheNetwork) {
  Network net(1);
  Value h = net.Linear(Flatten(net.Input("pictures", {3, 32, 32})), 16);
  net.Output("logits", net.Linear(net.LayerNorm(Relu(h)), 10));
  const auto model = net.Build();
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  const TestFolder folder;
  TrainOptions options = Short();
  options.steps = 3;
  options.validation = 0;
  options.rate = 0;
  const auto by_network = Train(*model, *data, options);
  options.optimizer = "adamw";
  const auto given = Train(*model, *data, options);
  ASSERT_TRUE(by_network && given);
  EXPECT_EQ(Bytes(*by_network, folder / "a.onnx"), Bytes(*given, folder / "b.onnx"));
  EXPECT_TRUE(Tells(*by_network, "the optimizer is adamw"));
  EXPECT_FALSE(Tells(*given, "the optimizer is"));
}

// Values in the shape of scores: the loss says what they are.
TEST(TrainOptions, SayWhichLossIsDistilledBy) {
  const auto student = Classifier(1), teacher = Classifier(2);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(student && teacher && data);
  TrainOptions options = Short();
  options.steps = 10;
  const auto taught = Distill(*teacher, *student, *data, options);
  ASSERT_TRUE(taught) << taught.error().message();
  EXPECT_TRUE(Tells(*taught, "scores of 10 classes"));
  options.loss = "cosine";
  const auto cosine = Distill(*teacher, *student, *data, options);
  ASSERT_TRUE(cosine) << cosine.error().message();
  EXPECT_LE(cosine->score_after, 1);
  EXPECT_FALSE(Tells(*cosine, "scores of"));
  options.loss = "soap";
  EXPECT_FALSE(Distill(*teacher, *student, *data, options));
}

TEST(TrainOptions, MoveNoPicturesOfDenseTargets) {
  Network net(1);
  net.Output("map", net.Conv(net.Input("x", {1, 4, 4}), 1, 3));
  const auto model = net.Build();
  const TestFolder folder;
  const Tensor maps = Tensor::Zeros(DType::kF32, {24, 1, 4, 4}).value();
  ASSERT_TRUE(data::SaveNpy(folder / "x.npy", maps));
  const auto data = Dataset::Open(folder / "x.npy");
  ASSERT_TRUE(model && data);
  TrainOptions options;
  options.steps = 1;
  options.batch = 4;
  EXPECT_TRUE(TrainByTargets(*model, *data, *data, options));
  options.flip = true;
  const auto refused = TrainByTargets(*model, *data, *data, options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("targets of each position"), std::string::npos)
      << refused.error().message();
}

// The filters of a network with half of their numbers at 0, before and after training.
TEST(Training, KeepsZerosWhereAskedTo) {
  const TestFolder folder;
  ASSERT_TRUE(Classifier(3)->Save(folder / "net.onnx"));
  graph::Graph graph = model::Model::Load(folder / "net.onnx", train::kTrainable)->graph();
  const auto filters = [](const graph::Graph& of) {
    for (graph::NodeId id : of.Order())
      if (of.node(id).op == "Conv") return of.node(id).inputs[1];
    return graph::ValueId::kNone;
  };
  const Tensor whole = graph.value(filters(graph)).data;
  Tensor half = Tensor::Of<float>(whole.shape(), whole.as<float>());
  for (int64_t i = 0; i < half.count(); i += 2) half.mutable_as<float>()[i] = 0;
  graph.SetConstant(filters(graph), half);
  ASSERT_TRUE(onnx::Export(graph, folder / "sparse.onnx"));

  const auto sparse = Model::Load(folder / "sparse.onnx");
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(sparse && data);
  TrainOptions options = Short();
  options.steps = 2;
  options.validation = 0;
  options.keep_zeros = true;
  const auto trained = Train(*sparse, *data, options);
  ASSERT_TRUE(trained) << trained.error().message();
  ASSERT_TRUE(trained->model.Save(folder / "tuned.onnx"));
  const auto tuned = model::Model::Load(folder / "tuned.onnx", train::kTrainable);
  const auto now = tuned->graph().value(filters(tuned->graph())).data.as<float>();
  for (int64_t i = 0; i < half.count(); ++i) {
    EXPECT_EQ(now[i] == half.as<float>()[i], i % 2 == 0) << i;
  }
}

// Normalisations stay apart from the weights, in files as in formulas.
TEST(Training, KeepsTheNormalisationsOfAFile) {
  const TestFolder folder;
  const std::string file = folder / "net.onnx", tuned = folder / "tuned.onnx";
  ASSERT_TRUE(Classifier(3)->Save(file));
  const auto model = Model::Load(file);
  const auto data = Dataset::Open(kPictures);
  ASSERT_TRUE(model && data);
  TrainOptions options = Short();
  options.steps = 2;
  const auto trained = Train(*model, *data, options);
  ASSERT_TRUE(trained) << trained.error().message();
  ASSERT_TRUE(trained->model.Save(tuned));
  const auto taught = Distill(*model, *model, *data, options);
  ASSERT_TRUE(taught) << taught.error().message();
  ASSERT_TRUE(taught->model.Save(folder / "taught.onnx"));
  for (const std::string& written : {tuned, folder / "taught.onnx"})
    EXPECT_NE(ReadFile(written)->find("BatchNormalization"), std::string::npos) << written;
}

TEST(Saving, NeverReplacesTheFilesOfTheModel) {
  const TestFolder folder;
  for (const char* name : {"mlp_external.onnx", "mlp_external.data"})
    folder.Write(name, ReadFile(SourcePath("tests/models") / name).value());
  const auto model = Model::Load(folder / "mlp_external.onnx");
  ASSERT_TRUE(model);
  EXPECT_FALSE(model->Save(folder / "mlp_external.onnx"));
  EXPECT_FALSE(model->Save(folder / "mlp_external.data"));
  EXPECT_TRUE(model->Save(folder / "other.onnx"));
}

}  // namespace
}  // namespace pare
