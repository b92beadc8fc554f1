// What is loaded and written again stays what it was, but for what pare simplifies.
#include "onnx/export.h"

#include "onnx/import.h"
#include "running.h"

namespace pare {
namespace {

class Exported : public ::testing::TestWithParam<std::filesystem::path> {};

// A file for engines that know this opset is still one.
TEST_P(Exported, KeepsTheOpset) {
  const auto model = model::Model::Load(GetParam());
  ASSERT_TRUE(model) << model.error().message();
  const auto bytes = onnx::ExportBytes(model->graph());
  ASSERT_TRUE(bytes) << bytes.error().message();
  onnx::NoExternalFiles none;
  const auto again = onnx::ImportBytes(BytesOf(*bytes), nullptr, none);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->opsets.at(""), model->graph().opsets.at(""));
}

INSTANTIATE_TEST_SUITE_P(Models, Exported, ::testing::ValuesIn(SmallModels()),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace pare
