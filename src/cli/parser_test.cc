#include "cli/parser.h"

#include <gtest/gtest.h>

namespace pare::cli {
namespace {

struct Options {
  std::string model, output;
  int threads = 0;
  uint64_t seed = 7;
  std::optional<double> drop;
  std::vector<std::string> keep;
  bool json = false;
};

void Declare(Parser& parser, Options& options) {
  parser.Positional("MODEL", options.model, "a file");
  parser.Option("-o, --output", "FILE", options.output, "where to");
  parser.Option("--threads", "N", options.threads, 0, "how many");
  parser.Option("--seed", "N", options.seed, 0, "which");
  parser.Option("--max-drop", "POINTS", options.drop, "at most");
  parser.Option("--keep-float", "PATTERN", options.keep, "again and again");
  parser.Flag("--json", options.json, "for machines");
}

Result<bool> Parse(Options& options, std::vector<std::string> arguments) {
  Parser parser("pare test");
  Declare(parser, options);
  return parser.Parse(arguments);
}

TEST(Parser, FillsInWhatIsGiven) {
  Options options;
  ASSERT_TRUE(Parse(options, {"-o", "out.onnx", "m.onnx", "--threads=3", "--keep-float", "a*",
                              "--keep-float", "=b", "--max-drop", "-.5", "--json", "--json"}));
  EXPECT_EQ(options.model, "m.onnx");
  EXPECT_EQ(options.output, "out.onnx");
  EXPECT_EQ(options.threads, 3);
  EXPECT_EQ(options.seed, 7u);
  EXPECT_EQ(options.drop, -0.5);
  EXPECT_EQ(options.keep, (std::vector<std::string>{"a*", "=b"}));
  EXPECT_TRUE(options.json);
}

TEST(Parser, TakesOddNamesAfterTwoDashes) {
  Options options;
  ASSERT_TRUE(Parse(options, {"--json", "--", "--model.onnx"}));
  EXPECT_EQ(options.model, "--model.onnx");
}

TEST(Parser, TellsHelpFromWork) {
  Options options;
  for (const char* help : {"-h", "--help"})
    EXPECT_FALSE(Parse(options, {"--no-such", help}).value());
  EXPECT_TRUE(Parse(options, {"m", "--", "--help"}).error().message().find("too many") !=
              std::string::npos);
}

TEST(Parser, SaysWhatIsWrong) {
  const struct {
    std::vector<std::string> arguments;
    std::string message;
  } kCases[] = {
      {{}, "MODEL is missing"},
      {{"m", "n"}, "\"n\" is one argument too many"},
      {{"m", "--thread", "1"}, "there is no option --thread; is --threads meant?"},
      {{"m", "--frobnicate"}, "there is no option --frobnicate\n"},
      {{"m", "--threads"}, "--threads needs a value"},
      {{"m", "--threads", "--json"}, "--threads needs a value"},
      {{"m", "--threads", "two"}, "--threads: \"two\" is no whole number"},
      {{"m", "--threads", "-1"}, "-1 is less than 0"},
      {{"m", "--threads", "99999999999"}, "99999999999 is more than 2147483647"},
      {{"m", "--threads", "1e3"}, "no whole number"},
      {{"m", "--max-drop", "1%"}, "\"1%\" is no number"},
      {{"m", "--max-drop", "nan"}, "no number"},
      {{"m", "--json=yes"}, "--json takes no value"},
      {{"m", "--seed", "1", "--seed", "2"}, "--seed is given twice"},
      {{"m", "--output="}, "an empty text is no value"},
      {{""}, "MODEL is empty"},
  };
  for (const auto& [arguments, message] : kCases) {
    Options options;
    const auto parsed = Parse(options, arguments);
    ASSERT_FALSE(parsed) << message;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::kUsage);
    EXPECT_NE((parsed.error().message() + '\n').find(message), std::string::npos)
        << parsed.error().message();
  }
}

TEST(Parser, HelpNamesEverything) {
  Options options;
  Parser parser("pare test");
  Declare(parser, options);
  const std::string help = parser.Help();
  for (const char* part :
       {"usage: pare test MODEL", "-o, --output FILE", "--keep-float PATTERN", "for machines"}) {
    EXPECT_NE(help.find(part), std::string::npos) << part;
  }
}

TEST(NearestName, FindsSlipsAndNothingElse) {
  constexpr std::string_view kNames[] = {"quantize", "compare", "run"};
  EXPECT_EQ(NearestName("quantise", kNames), "quantize");
  EXPECT_EQ(NearestName("comapre", kNames), "compare");
  EXPECT_EQ(NearestName("train", kNames), "");
}

}  // namespace
}  // namespace pare::cli
