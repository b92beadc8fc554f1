#include "base/json_quote.h"

#include <gtest/gtest.h>

namespace pare {
namespace {

TEST(JsonQuoted, EscapesWhatJsonForbidsAndKeepsUtf8) {
  const struct {
    std::string_view text, quoted;
  } kCases[] = {
      {"", R"("")"},
      {"conv1/relu", R"("conv1/relu")"},
      {R"(a"b\c)", R"("a\"b\\c")"},
      {"a\nb\tc\x01\x7f", R"("a\nb\u0009c\u0001\u007f")"},
      {"größe 层 🙂", R"("größe 层 🙂")"},
      {"\xff\xfe ok", R"("\\xff\\xfe ok")"},
      {"\xc3", R"("\\xc3")"},                    // cut short
      {"\xc0\xaf", R"("\\xc0\\xaf")"},           // longer than need be
      {"\xed\xa0\x80", R"("\\xed\\xa0\\x80")"},  // half of a surrogate pair
  };
  for (const auto& c : kCases) EXPECT_EQ(JsonQuoted(c.text), c.quoted);
  EXPECT_EQ(JsonQuoted(std::string_view("\0", 1)), R"("\u0000")");
}

}  // namespace
}  // namespace pare
