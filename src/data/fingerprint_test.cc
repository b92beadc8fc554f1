#include "data/fingerprint.h"

#include <gtest/gtest.h>

#include <numeric>

#include "data/test_pictures.h"
#include "platform/test_folder.h"

namespace pare::data {
namespace {

// Of the samples [0, count).
std::string Hash(const Dataset& dataset, int64_t count) {
  std::vector<int64_t> indices(static_cast<size_t>(count));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  SilentProgress progress;
  const auto hash = ContentHash(dataset, indices, progress);
  EXPECT_TRUE(hash) << hash.error().message();
  return hash.value_or("");
}

std::string Hash(const std::string& path) {
  const auto dataset = OpenDataset(path);
  EXPECT_TRUE(dataset) << dataset.error().message();
  return Hash(**dataset, (*dataset)->size());
}

TEST(ContentHash, IsOfEachSample) {
  const auto hash = [](int64_t changed) {
    Tensor rows = Tensor::Make(DType::kF32, {100, 3}).value();
    for (float& x : rows.mutable_as<float>()) x = 1;
    if (changed >= 0) rows.mutable_as<float>()[3 * changed] = 2;
    const auto dataset = DatasetOf({{.name = "", .tensor = rows}}, {}).value();
    return std::pair(Hash(*dataset, 100), Hash(*dataset, 90));
  };
  const auto [all, most] = hash(-1);
  EXPECT_EQ(hash(-1).first, all);
  for (int64_t i = 0; i < 100; ++i) EXPECT_NE(hash(i).first, all) << i;
  // 97 is none of the few that are always looked at.
  EXPECT_EQ(hash(97).second, most);
  EXPECT_NE(hash(89).second, most);
}

// Those between the ones that are decoded count by their size, whatever their names.
TEST(ContentHash, IsOfEachPicturesSize) {
  const TestFolder folder, moved;
  const auto write = [](const TestFolder& to, int number, const Tensor& picture) {
    to.Write(Text("p", 100 + number, ".png"), PngOf(picture));
  };
  for (const TestFolder* to : {&folder, &moved}) {
    for (int i = 0; i < 70; ++i) write(*to, i, Gradient(8, 8, i));
  }
  const std::string before = Hash(folder.path());
  EXPECT_EQ(Hash(moved.path()), before);
  write(folder, 33, Gradient(20, 20));
  EXPECT_NE(Hash(folder.path()), before);
}

}  // namespace
}  // namespace pare::data
