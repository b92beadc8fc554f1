// tests/broken: files that are no proper models end in an error that says what is wrong, never in a
// crash.
#include <fstream>

#include "platform/memory.h"
#include "running.h"

namespace pare {
namespace {

// As far as it goes: load, prepare for the declared shapes, run on zeros.
Status UseModel(const std::string& path) {
  PARE_ASSIGN(const auto model, model::Model::Load(path));
  PARE_ASSIGN(auto session, model::MakeSession(model.graph(), model::Context::Make(1)));
  PARE_ASSIGN(const auto shapes, model::ShapesForBatch(model.graph(), 1));
  std::vector<Tensor> inputs, outputs(model.graph().outputs().size());
  for (size_t i = 0; i < shapes.size(); ++i) {
    PARE_ASSIGN(
        Tensor input,
        Tensor::Zeros(model.graph().value(model.graph().inputs()[i]).type.dtype, shapes[i]));
    inputs.push_back(std::move(input));
  }
  return session->Run(inputs, outputs);
}

TEST(BrokenModels, EndInAnErrorThatSaysWhatIsWrong) {
  std::ifstream index(SourcePath("tests/broken/index.tsv"));
  std::string line;
  std::getline(index, line);
  int count = 0;
  while (std::getline(index, line)) {
    const std::string file = line.substr(0, line.find('\t'));
    const Status status = UseModel(SourcePath("tests/broken/" + file));
    ++count;
    // Harmless: both are the same; what pare doesn't know it passes on.
    const bool harmless = file == "initializer_twice.onnx" || file == "attribute_unknown.onnx";
    if (harmless && status) continue;
    ASSERT_FALSE(status) << line;
    EXPECT_GT(status.error().message().size(), 15u) << line;
    EXPECT_NE(status.error().kind(), ErrorKind::kInternal) << line << status.error().message();
  }
  EXPECT_GT(count, 50);
  EXPECT_LT(PeakRssBytes(), int64_t{2} << 30);
}

}  // namespace
}  // namespace pare
