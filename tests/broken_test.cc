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

// A line is a file, what is wrong with it, and words that its error must have; none where it is
// harmless all the same (what pare doesn't know it passes on).
TEST(BrokenModels, EndInAnErrorThatSaysWhatIsWrong) {
  std::ifstream index(SourcePath("tests/broken/index.tsv"));
  std::string line;
  std::getline(index, line);
  int count = 0, harmless = 0;
  while (std::getline(index, line)) {
    const size_t first = line.find('\t'), second = line.find('\t', first + 1);
    ASSERT_NE(second, std::string::npos) << line;
    const Status status = UseModel(SourcePath("tests/broken/" + line.substr(0, first)));
    const std::string words = line.substr(second + 1);
    ++count;
    if (words.empty()) {
      ++harmless;
      EXPECT_TRUE(status) << line << status.error().message();
      continue;
    }
    ASSERT_FALSE(status) << line;
    EXPECT_NE(status.error().message().find(words), std::string::npos) << line << '\n'
                                                                       << status.error().message();
    EXPECT_NE(status.error().kind(), ErrorKind::kInternal) << line << status.error().message();
  }
  EXPECT_GT(count, 50);
  EXPECT_EQ(harmless, 1);
  EXPECT_LT(PeakRssBytes(), int64_t{2} << 30);
}

}  // namespace
}  // namespace pare
