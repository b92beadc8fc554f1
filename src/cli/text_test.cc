#include "cli/text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cli/json.h"

namespace pare::cli {
namespace {

TEST(Text, BytesThatAreNoUtf8AreShown) {
  const struct {
    std::string_view bytes, printable;
    int columns;
  } kCases[] = {
      {"conv1", "conv1", 5},
      {"größe", "größe", 5},
      {"層", "層", 2},
      {"e\xcc\x81", "e\xcc\x81", 1},
      {"a\xff"
       "b",
       "a\\xffb", 6},
      {"\xc3", "\\xc3", 4},
      {"\xed\xa0\x80", "\\xed\\xa0\\x80", 12},  // a surrogate
      {"\xc0\xaf", "\\xc0\\xaf", 8},            // longer than need be
      {"\x1b[31m", "\\x1b[31m", 8},
      {"\xc2\x9b", "\\xc2\\x9b", 8},  // a C1 control
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", 16},
  };
  for (const auto& [bytes, printable, columns] : kCases) {
    EXPECT_EQ(Printable(bytes), printable);
    EXPECT_EQ(Columns(printable), columns) << printable;
  }
}

TEST(Text, WordsOfAShell) {
  EXPECT_EQ(ShellWord("x=1x128"), "x=1x128");
  EXPECT_EQ(ShellWord("input ids=1x128"), "'input ids=1x128'");
  EXPECT_EQ(ShellWord("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellWord(""), "''");
}

TEST(Text, ShortensInTheMiddleByColumns) {
  EXPECT_EQ(Shortened("abcdefgh", 8), "abcdefgh");
  EXPECT_EQ(Shortened("abcdefghi", 8), "abc…fghi");
  EXPECT_EQ(Shortened("層層層層層層", 7), "層…層");
}

TEST(Text, NumbersHaveUnits) {
  EXPECT_EQ(ByteText(999), "999 B");
  EXPECT_EQ(ByteText(1000), "1.00 kB");
  EXPECT_EQ(ByteText(1'113'000), "1.11 MB");
  EXPECT_EQ(ByteText(99'990'000), "100 MB");
  EXPECT_EQ(ByteText(999'900'000), "1.00 GB");
  EXPECT_EQ(CountText(9999), "9999");
  EXPECT_EQ(CountText(40'800'000), "40.8 M");
  EXPECT_EQ(Milliseconds(0.01234), "0.0123");
  EXPECT_EQ(Milliseconds(0.001234), "0.00123");
  EXPECT_EQ(Milliseconds(0), "0.0000");
  EXPECT_EQ(Duration(0.001234), "1.23 µs");
  EXPECT_EQ(Duration(12.34), "12.3 ms");
  EXPECT_EQ(DurationRange(0.0005, 0.0012), "0.500–1.20 µs");
  EXPECT_EQ(DurationInterval(0.0009, 0.0005, 0.0012), "0.900 µs (0.500–1.20)");
  EXPECT_EQ(DurationInterval(2, 1.9, 2.1), "2.00 ms (1.90–2.10)");
  EXPECT_EQ(DurationRange(0.009, 0.012), "0.00900–0.0120 ms");
  EXPECT_EQ(Milliseconds(0.1234), "0.123");
  EXPECT_EQ(Milliseconds(12.34), "12.3");
  EXPECT_EQ(Milliseconds(1234.5), "1234");
  EXPECT_EQ(Fixed(std::optional<double>(), 2), "–");
  EXPECT_EQ(Fixed(-1e-9, 4), "0.0000");
  EXPECT_EQ(Fixed(-0.00006, 4), "-0.0001");
}

TEST(Table, AlignsWhatPeopleSee) {
  Table table(
      {{"name", Table::Align::kLeft, 8}, {"ms", Table::Align::kRight}, {"", Table::Align::kLeft}});
  table.Add({"größe", "1.5"});
  table.Add({"層", "10.25", "note"});
  table.Add({"a/very/long/name", "3"});
  EXPECT_EQ(table.Text(1),
            " name         ms\n"
            " größe       1.5\n"
            " 層        10.25  note\n"
            " a/v…name      3\n");
}

TEST(Json, PrintsValues) {
  Json json = Json::Object(
      {{"text", "a\"b\\\n\x01"}, {"whole", int64_t{9007199254740993}}, {"none", Json()}});
  json.Set("numbers",
           Json::ArrayOf(std::vector<double>{0.1, 1.0, -2.5e-9, 1e300, std::nan(""), INFINITY}));
  json.Set("maybe", std::optional<double>());
  json.Set("truth", true);
  json.Set("empty", Json::Array());
  EXPECT_EQ(json.Text(),
            "{\n"
            "  \"text\": \"a\\\"b\\\\\\n\\u0001\",\n"
            "  \"whole\": 9007199254740993,\n"
            "  \"none\": null,\n"
            "  \"numbers\": [0.1, 1, -2.5e-09, 1e+300, null, null],\n"
            "  \"maybe\": null,\n"
            "  \"truth\": true,\n"
            "  \"empty\": []\n"
            "}\n");
}

TEST(Json, NamesOfAnyBytesStayReadable) {
  EXPECT_EQ(Json(std::string_view("a\xff層\0b", 7)).Text(), "\"a\\\\xff層\\u0000b\"\n");
}

TEST(Json, BreaksLongLines) {
  Json rows = Json::Array();
  for (int i = 0; i < 3; ++i) rows.Add(Json::Object({{"name", std::string(40, 'x')}, {"i", i}}));
  const std::string text = Json::Object({{"rows", rows}}).Text();
  const std::string row = "    {\"name\": \"" + std::string(40, 'x') + "\", \"i\": ";
  EXPECT_EQ(text, "{\n  \"rows\": [\n" + row + "0},\n" + row + "1},\n" + row + "2}\n  ]\n}\n");
}

}  // namespace
}  // namespace pare::cli
