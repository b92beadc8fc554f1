#include "data/loader.h"

#include <gtest/gtest.h>

#include <numeric>

#include "data/test_pictures.h"
#include "platform/test_folder.h"

namespace pare::data {
namespace {

using Data = std::shared_ptr<const Dataset>;

Data Floats(Dims shape, std::vector<int64_t> labels = {}) {
  Tensor tensor = Tensor::Make(DType::kF32, std::move(shape)).value();
  std::iota(tensor.mutable_as<float>().begin(), tensor.mutable_as<float>().end(), 0.0f);
  return DatasetOf({{"", tensor}}, std::move(labels)).value();
}

std::vector<Batch> All(Loader& loader) {
  std::vector<Batch> batches;
  while (true) {
    auto batch = loader.Next();
    EXPECT_TRUE(batch) << batch.error().message();
    if (!batch || !batch->has_value()) return batches;
    batches.push_back(**std::move(batch));
  }
}

std::string ErrorOf(const Data& data, std::vector<InputSpec> specs, LoaderOptions options = {}) {
  const auto loader = Loader::Make(data, std::move(specs), options);
  EXPECT_FALSE(loader);
  return loader ? "" : loader.error().message();
}

#define EXPECT_MENTIONS(text, part) \
  EXPECT_NE(std::string(text).find(part), std::string::npos) << std::string(text)

TEST(Loader, BatchesInOrderWithARest) {
  for (const bool prefetch : {false, true}) {
    LoaderOptions options;
    options.batch = 3;
    options.prefetch = prefetch;
    options.preprocess.label_offset = 1;
    auto loader =
        Loader::Make(Floats({7, 2}, {0, 1, 2, 3, 4, 5, 6}), {{"x", DType::kF32, {-1, 2}}}, options);
    ASSERT_TRUE(loader) << loader.error().message();
    for (int round = 0; round < 2; ++round) {
      const auto batches = All(*loader);
      ASSERT_EQ(batches.size(), 3u);
      EXPECT_EQ(batches[0].inputs[0].shape(), (Dims{3, 2}));
      EXPECT_EQ(batches[2].inputs[0].shape(), (Dims{1, 2}));
      EXPECT_EQ(batches[2].count(), 1);
      EXPECT_EQ(batches[1].inputs[0].as<float>()[0], 6);
      EXPECT_EQ(batches[1].indices, (std::vector<int64_t>{3, 4, 5}));
      EXPECT_EQ(batches[1].labels, (std::vector<int64_t>{4, 5, 6}));
      EXPECT_FALSE(loader->Next()->has_value());  // the end stays the end
      loader->Rewind();
    }
  }
}

TEST(Loader, RewindInTheMiddle) {
  auto loader = Loader::Make(Floats({50, 1}), {{"x", DType::kF32, {-1, 1}}}, {});
  ASSERT_TRUE(loader);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(loader->Next());
  loader->Rewind();
  EXPECT_EQ((*loader->Next())->indices[0], 0);
}

TEST(Loader, FixedBatchIsFilledUp) {
  auto loader = Loader::Make(Floats({5, 1}), {{"x", DType::kF32, {4, 1}}}, {});
  ASSERT_TRUE(loader);
  EXPECT_EQ(loader->batch(), 4);
  const auto batches = All(*loader);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[1].count(), 1);
  EXPECT_EQ(batches[1].inputs[0].shape(), (Dims{4, 1}));
  for (const float value : batches[1].inputs[0].as<float>()) EXPECT_EQ(value, 4);
}

TEST(Loader, AModelWithoutInputsTakesNoSamples) {
  const auto loader = Loader::Make(Floats({2, 1}), {}, {});
  ASSERT_FALSE(loader);
  EXPECT_NE(loader.error().message().find("has no inputs"), std::string::npos);
}

TEST(Loader, ChosenSamplesOnly) {
  auto loader = Loader::Make(Floats({9, 1}), {{"x", DType::kF32, {-1, 1}}}, {8, 2}, {});
  ASSERT_TRUE(loader);
  const auto batches = All(*loader);
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].inputs[0].as<float>()[0], 8);
  EXPECT_EQ(batches[1].inputs[0].as<float>()[0], 2);
  EXPECT_FALSE(Loader::Make(Floats({9, 1}), {{"x", DType::kF32, {-1, 1}}}, {}, LoaderOptions()));
}

TEST(Loader, ArraysAreCastAndReshaped) {
  struct Case {
    Dims data;
    DType dtype;
    Dims wanted, result;
  };
  for (const Case& c : {Case{{2, 4}, DType::kF16, {-1, 4}, {1, 4}},
                        Case{{2, 4}, DType::kI64, {-1, 2, 2}, {1, 2, 2}},
                        Case{{2, 1, 4}, DType::kU8, {1, -1}, {1, 4}},  // a batch of one inside
                        Case{{2, 4}, DType::kF32, {-1, -1}, {1, 4}}}) {
    auto loader = Loader::Make(Floats(c.data), {{"x", c.dtype, c.wanted}}, {});
    ASSERT_TRUE(loader) << loader.error().message();
    const Batch batch = **loader->Next();
    EXPECT_EQ(batch.inputs[0].dtype(), c.dtype);
    EXPECT_EQ(batch.inputs[0].shape(), c.result);
    EXPECT_EQ(Cast(batch.inputs[0], DType::kF32)->as<float>()[3], 3);
  }
  EXPECT_MENTIONS(ErrorOf(Floats({2, 4}), {{"x", DType::kF32, {-1, 3}}}),
                  "input 'x': a sample has the shape [4], and the model wants [3]");
}

TEST(Loader, SeveralInputsByName) {
  const Data data = DatasetOf({{"mask", Tensor::Of<int64_t>({2, 1}, {1, 0})},
                               {"ids", Tensor::Of<int64_t>({2, 1}, {7, 8})},
                               {"extra", Tensor::Of<float>({2}, {1, 2})}},
                              {})
                        .value();
  auto loader = Loader::Make(
      data, {{"ids", DType::kI64, {-1, -1}}, {"mask", DType::kI32, {-1, -1}}}, LoaderOptions());
  ASSERT_TRUE(loader) << loader.error().message();
  const Batch batch = **loader->Next();
  EXPECT_EQ(batch.inputs[0].as<int64_t>()[0], 7);
  EXPECT_EQ(batch.inputs[1].as<int32_t>()[0], 1);
  EXPECT_MENTIONS(ErrorOf(data, {{"ids", DType::kI64, {-1, 1}}, {"types", DType::kI64, {-1, 1}}}),
                  "missing: types");
}

TEST(Loader, InputsWithoutABatchAxis) {
  const Data data = DatasetOf({{"x", Tensor::Of<float>({2, 3}, {1, 2, 3, 4, 5, 6})},
                               {"state", Tensor::Of<float>({2, 2, 1}, {7, 8, 9, 10})},
                               {"rate", Tensor::Of<int64_t>({2}, {16000, 8000})}},
                              {})
                        .value();
  const std::vector<InputSpec> specs = {
      {"x", DType::kF32, {-1, 3}}, {"state", DType::kF32, {2, 1}}, {"rate", DType::kI64, {}}};
  LoaderOptions options;
  auto loader = Loader::Make(data, specs, options);
  ASSERT_TRUE(loader) << loader.error().message();
  const Batch batch = **loader->Next();
  EXPECT_EQ(batch.inputs[0].shape(), (Dims{1, 3}));
  EXPECT_EQ(batch.inputs[1].shape(), (Dims{2, 1}));
  EXPECT_EQ(batch.inputs[1].as<float>()[1], 8);
  EXPECT_EQ(batch.inputs[2].as<int64_t>()[0], 16000);
  options.batch = 2;
  EXPECT_MENTIONS(ErrorOf(data, {specs[0], specs[2]}, options),
                  "input 'rate': has no axis for a batch of 2");
}

TEST(Loader, PicturesInEveryForm) {
  const Data data =
      DatasetOf({{"", Tensor::Of<uint8_t>({1, 1, 2, 3}, {10, 20, 30, 40, 50, 60})}}, {}).value();
  struct Case {
    DType dtype;
    Dims wanted, result;
    Layout layout;
    std::vector<float> values;
  };
  const std::vector<float> planar = {10, 40, 20, 50, 30, 60}, mixed = {10, 20, 30, 40, 50, 60};
  const Layout any = Layout::kAuto;
  for (const Case& c : {Case{DType::kF32, {-1, 3, 1, 2}, {1, 3, 1, 2}, any, planar},
                        Case{DType::kF32, {-1, 3, -1, -1}, {1, 3, 1, 2}, any, planar},
                        Case{DType::kF32, {-1, -1, -1, 3}, {1, 1, 2, 3}, any, mixed},
                        Case{DType::kF32, {-1, -1, -1, -1}, {1, 1, 2, 3}, Layout::kNhwc, mixed},
                        Case{DType::kF16, {-1, 3, 1, 2}, {1, 3, 1, 2}, any, planar},
                        Case{DType::kU8, {1, 1, 2, 3}, {1, 1, 2, 3}, Layout::kNhwc, mixed},
                        Case{DType::kF32, {-1, 6}, {1, 6}, any, planar},
                        Case{DType::kF32, {-1, 6}, {1, 6}, Layout::kNhwc, mixed},
                        Case{DType::kF32, {-1, 1, 1, 2}, {1, 1, 1, 2}, any, {18, 48}},
                        Case{DType::kF32, {-1, 1, 2}, {1, 1, 2}, any, {18, 48}},
                        Case{DType::kF32, {-1, 2}, {1, 2}, any, {18, 48}}}) {
    LoaderOptions options;
    options.preprocess.scale = 1;
    options.preprocess.layout = c.layout;
    auto loader = Loader::Make(data, {{"x", c.dtype, c.wanted}}, options);
    ASSERT_TRUE(loader) << DimsText(c.wanted) << loader.error().message();
    const Batch batch = **loader->Next();
    EXPECT_EQ(batch.inputs[0].shape(), c.result);
    EXPECT_EQ(batch.inputs[0].dtype(), c.dtype);
    const Tensor floats = Cast(batch.inputs[0], DType::kF32).value();
    EXPECT_EQ(std::vector<float>(floats.as<float>().begin(), floats.as<float>().end()), c.values)
        << DimsText(c.wanted);
  }
  EXPECT_MENTIONS(ErrorOf(data, {{"x", DType::kF32, {-1, 4, 8, 8}}}), "wants 4 channels");
}

TEST(Loader, ErrorsNameTheSample) {
  TestFolder folder;
  folder.Write("a.png", PngOf(Filled(8, 8, 1)));
  folder.Write("b.png", "broken");
  folder.Write("c.png", PngOf(Filled(9, 8, 1)));
  const Data data = OpenDataset(folder.path()).value();
  LoaderOptions options;
  options.batch = 2;
  const std::vector<InputSpec> specs = {{"x", DType::kF32, {-1, 3, -1, -1}}};
  for (const bool prefetch : {false, true}) {
    options.prefetch = prefetch;
    auto broken = Loader::Make(data, specs, options);
    ASSERT_TRUE(broken);
    const auto batch = broken->Next();
    ASSERT_FALSE(batch);
    EXPECT_MENTIONS(batch.error().message(), "b.png");
    auto uneven = Loader::Make(data, specs, {0, 2}, options);
    ASSERT_TRUE(uneven);
    const auto second = uneven->Next();
    ASSERT_FALSE(second);
    EXPECT_MENTIONS(second.error().message(), "c.png: input 'x': has the shape [3,9,8]");
  }
}

}  // namespace
}  // namespace pare::data
