#include "base/hash.h"

#include <gtest/gtest.h>

namespace pare {
namespace {

TEST(Hash, IsFnv1aAsPublished) {
  EXPECT_EQ(HashOfText(""), 0xcbf29ce484222325u);
  EXPECT_EQ(HashOfText("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(HashOfText("foobar"), 0x85944171f73967e8u);
  EXPECT_EQ(HexText(0xaf63), "af63");
}

TEST(Hash, TellsWordsFromWords) {
  const auto hash = [](std::string_view text) {
    WordHash words;
    words.Add(std::as_bytes(std::span(text)));
    return words.value();
  };
  EXPECT_EQ(hash("sixteen bytes of it"), hash("sixteen bytes of it"));
  EXPECT_NE(hash("sixteen bytes of it"), hash("sixteen bytes of iu"));
  EXPECT_NE(hash("sixteen bytes of it"), hash("Sixteen bytes of it"));
  EXPECT_NE(hash(std::string_view("\0", 1)), hash(std::string_view("\0\0", 2)));
}

}  // namespace
}  // namespace pare
