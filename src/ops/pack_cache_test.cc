#include <gtest/gtest.h>

#include "ops/prepare.h"

namespace pare::ops {
namespace {

TEST(PackCache, HoldsWhatSomebodyHolds) {
  PackCache cache;
  int fills = 0;
  const auto fill = [&](std::byte* bytes) {
    ++fills;
    bytes[0] = std::byte{7};
  };
  auto first = *cache.Get("a", 64, {}, fill);
  auto again = *cache.Get("a", 64, {}, fill);
  const auto other = *cache.Get("b", 128, {}, fill);
  EXPECT_EQ(first, again);
  EXPECT_EQ(fills, 2);
  EXPECT_EQ(cache.bytes(), 192u);
  first.reset();
  EXPECT_EQ(cache.entries(), 2u);
  again.reset();
  EXPECT_EQ(cache.entries(), 1u) << "a key without bytes stays";
  EXPECT_EQ(cache.bytes(), 128u);
  const auto anew = *cache.Get("a", 64, {}, fill);
  EXPECT_EQ(fills, 3);
  EXPECT_EQ(anew.get()[0], std::byte{7});
}

TEST(PackCache, EntriesMayOutliveIt) {
  std::shared_ptr<const std::byte> entry;
  {
    PackCache cache;
    entry = *cache.Get("a", 64, {}, [](std::byte* bytes) { bytes[63] = std::byte{1}; });
  }
  EXPECT_EQ(entry.get()[63], std::byte{1});
}

TEST(PackCache, KnowsEqualConstantsByTheirContent) {
  const Tensor a = Tensor::Of<float>({2}, {1, 2}), b = Tensor::Of<float>({2}, {1, 2});
  const Tensor other = Tensor::Of<float>({2}, {1, 3});
  const PackCache by_content(PackCache::Filling::kNow, PackCache::Identity::kContent);
  EXPECT_EQ(by_content.NameOf(a), by_content.NameOf(b));
  EXPECT_NE(by_content.NameOf(a), by_content.NameOf(other));
  EXPECT_NE(by_content.NameOf(Tensor::Of<float>({1}, {0})),
            by_content.NameOf(Tensor::Of<float>({8}, {0, 0, 0, 0, 0, 0, 0, 0})));
  EXPECT_NE(PackCache().NameOf(a), PackCache().NameOf(b));
}

}  // namespace
}  // namespace pare::ops
