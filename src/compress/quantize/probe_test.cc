// The probe keeps samples from all over the data, and finds the form that is nearest.
#include "compress/quantize/probe.h"

#include <gtest/gtest.h>

#include "graph/text.h"
#include "model/model.h"

namespace pare::compress {
namespace {

constexpr int64_t kSamples = 20;

std::unique_ptr<runtime::Session> Adding(const model::Context& context, std::string_view constant) {
  auto graph = graph::Parse(
      Text("input x: f32[n,2]\nconst c: f32[2] = ", constant, "\ny = Add(x, c)\noutput y\n"));
  EXPECT_TRUE(graph) << graph.error().message();
  EXPECT_TRUE(passes::Simplify(*graph));
  return model::MakeSession(*graph, context).value();
}

class ProbeTest : public ::testing::Test {
 protected:
  // Samples {i, 1}, the first half from one loader.
  ProbeTest() {
    Tensor x = Tensor::Make(DType::kF32, {kSamples, 2}).value();
    for (int64_t i = 0; i < kSamples; ++i) {
      x.mutable_as<float>()[2 * i] = static_cast<float>(i);
      x.mutable_as<float>()[2 * i + 1] = 1;
    }
    for (const int64_t first : {int64_t{0}, kSamples / 2}) {
      std::vector<int64_t> indices;
      for (int64_t i = first; i < first + kSamples / 2; ++i) indices.push_back(i);
      loaders_.push_back(data::Loader::Make(data::DatasetOf({{"", x}}, {}).value(),
                                            model::InputSpecs(model_->graph()), indices,
                                            {.batch = 1, .preprocess = {}, .prefetch = false})
                             .value());
    }
  }
  // What was offered and is kept, counted by the channel means that a form leaves.
  Probe Fill(int64_t samples, size_t max_bytes) {
    Probe probe(loaders_, samples, max_bytes);
    for (size_t i = 0; i < loaders_.size(); ++i) {
      loaders_[i].Rewind();
      while (auto batch = loaders_[i].Next().value()) {
        std::vector<Tensor> answers(1);
        EXPECT_TRUE(model_->Run(batch->inputs, answers));
        probe.Offer(i, *std::move(batch), std::move(answers));
      }
    }
    probe.Finish();
    return probe;
  }

  const model::Context context_ = model::Context::Make(2);
  const std::unique_ptr<runtime::Session> model_ = Adding(context_, "[0.0, 0.0]");
  std::vector<data::Loader> loaders_;
  SilentProgress progress_;
};

TEST_F(ProbeTest, FindsTheNearestFormAndItsErrorOverAllSamples) {
  const Probe probe = Fill(10, 1 << 20);
  const auto far = Adding(context_, "[3.0, 0.0]"), near = Adding(context_, "[0.0, -0.5]");
  runtime::Session* const forms[] = {far.get(), near.get(), far.get()};
  const auto best = probe.BestOf(forms, 2, 10, progress_);
  ASSERT_TRUE(best) << best.error().message();
  EXPECT_EQ(best->index, 1u);
  const auto errors = probe.Errors(forms, 10, progress_);
  ASSERT_TRUE(errors) << errors.error().message();
  EXPECT_EQ(best->error, (*errors)[1]);
  // Kept are 1, 3, … 19: their squares and ones sum up to 1330 + 10.
  EXPECT_DOUBLE_EQ((*errors)[1], 10 * 0.25 / 1340);
  EXPECT_DOUBLE_EQ((*errors)[0], 10 * 9.0 / 1340);
}

TEST_F(ProbeTest, TellsTheErrorOfSamplesBehindTheFirst) {
  const Probe probe = Fill(10, 1 << 20);
  const auto form = Adding(context_, "[1.0, 0.0]");
  runtime::Session* const forms[] = {form.get()};
  const double all = probe.Errors(forms, 10, progress_).value()[0];
  const double first = probe.Errors(forms, 4, progress_).value()[0];
  const double others = probe.ErrorsOfOthers(forms, 4, progress_).value()[0];
  // 10 / all is the energy of all samples, of which each has the same error.
  EXPECT_NEAR(4 / first + 6 / others, 10 / all, 1e-6);
  EXPECT_EQ(probe.ErrorsOfOthers(forms, 10, progress_).value()[0], all);
}

TEST_F(ProbeTest, MeasuresWhatEachChannelHasTooMuch) {
  const Probe probe = Fill(10, 1 << 20);
  const auto form = Adding(context_, "[0.5, -2.0]");
  const auto difference = probe.Compare(*form, progress_);
  ASSERT_TRUE(difference) << difference.error().message();
  ASSERT_EQ(difference->means.size(), 1u);
  EXPECT_EQ(difference->means[0], (std::vector<double>{0.5, -2.0}));
}

TEST_F(ProbeTest, KeepsOneBatchOfEachLoaderHoweverLittleMemoryThereIs) {
  const Probe probe = Fill(10, 1);
  const auto form = Adding(context_, "[1.0, 0.0]");
  runtime::Session* const forms[] = {form.get()};
  // 9 and 19, the last ones of the loaders.
  EXPECT_DOUBLE_EQ(probe.Errors(forms, 10, progress_).value()[0], 2.0 / (81 + 361 + 2));
}

}  // namespace
}  // namespace pare::compress
