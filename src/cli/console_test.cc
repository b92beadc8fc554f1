#include "cli/console.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/exit_code.h"
#include "cli/text.h"

namespace pare::cli {
namespace {

struct Streams {
  std::ostringstream out, err;
};

TEST(Console, WithoutATerminalSaysAStageInALine) {
  Streams streams;
  Console console(streams.out, streams.err, {});
  console.Stage("verifying", 3);
  for (int i = 0; i < 3; ++i) console.Advance(1);
  console.Note("few samples\nindeed \x1b[31m");
  ASSERT_TRUE(console.Print("result\n"));
  EXPECT_EQ(streams.err.str(), "verifying (3)\nnote: few samples\n      indeed \\x1b[31m\n");
  EXPECT_EQ(streams.out.str(), "result\n");
  EXPECT_EQ(console.notes().size(), 1u);
}

TEST(Console, OnATerminalDrawsOneLineAndClearsIt) {
  Streams streams;
  {
    Console console(streams.out, streams.err, {.terminal = true, .color = false, .columns = 80});
    console.Stage("verifying", 4);
  }
  const std::string drawn = streams.err.str();
  EXPECT_NE(drawn.find("verifying"), std::string::npos);
  EXPECT_NE(drawn.find("0 of 4"), std::string::npos);
  EXPECT_EQ(drawn.find('\n'), std::string::npos);
  EXPECT_TRUE(drawn.ends_with("\r\033[K"));
}

TEST(Console, ShowsHowAStageStands) {
  Streams streams;
  Console console(streams.out, streams.err, {.terminal = true, .color = false, .columns = 80});
  console.Stage("training", 4);
  console.Now("loss 0.5");
  console.Note("a line of its own");
  EXPECT_NE(streams.err.str().find("0 of 4, loss 0.5"), std::string::npos) << streams.err.str();
}

TEST(Text, TellsRoughTimes) {
  EXPECT_EQ(RoughTime(0.2), "1 s");
  EXPECT_EQ(RoughTime(89), "89 s");
  EXPECT_EQ(RoughTime(100), "2 min");
  EXPECT_EQ(RoughTime(3 * 3600 + 20 * 60), "3 h 20 min");
}

TEST(Console, LinesOfANoteStandBelowEachOther) {
  Streams streams;
  Console console(streams.out, streams.err, {});
  console.Note("one\ntwo\n      advice");
  EXPECT_EQ(streams.err.str(), "note: one\n      two\n      advice\n");
  EXPECT_EQ(console.notes()[0], "one\ntwo\n      advice");
}

TEST(Console, QuietKeepsNotesForReports) {
  Streams streams;
  Console console(streams.out, streams.err, {});
  console.set_quiet(true);
  console.Stage("verifying", 3);
  console.Note("few samples");
  EXPECT_EQ(streams.err.str(), "");
  EXPECT_EQ(console.notes().size(), 1u);
}

TEST(Console, ErrorsGoToBothSidesWithJson) {
  Streams streams;
  Console console(streams.out, streams.err, {.terminal = true, .color = true, .columns = 80});
  console.set_json(true);
  console.ShowError(Error(ErrorKind::kUnmet, "too much is lost", "give more").at("m.onnx"));
  EXPECT_EQ(streams.err.str(), "\033[31mpare:\033[0m m.onnx: too much is lost\n      give more\n");
  EXPECT_EQ(streams.out.str(),
            "{\n  \"error\": {\"kind\": \"unmet\", \"message\": \"m.onnx: too much is lost\", "
            "\"advice\": \"give more\", \"exit_code\": 1}\n}\n");
}

struct SmallReport {};
Json ToJson(const SmallReport&) { return Json::Object({{"output", "m.onnx"}}); }
std::string ToText(const SmallReport&) { return "a table\n"; }

TEST(Console, AMissedGoalHasItsReportBeforeTheComplaint) {
  const Error error(ErrorKind::kUnmet, "too much is lost", "give more");
  Streams people, machine;
  Console text(people.out, people.err, {}), json(machine.out, machine.err, {});
  json.set_json(true);
  for (Console* console : {&text, &json}) {
    const Status shown = console->ShowUnmet(SmallReport(), error);
    ASSERT_FALSE(shown);
    console->ShowError(shown.error());
  }
  EXPECT_EQ(people.out.str(), "a table\n");
  EXPECT_EQ(people.err.str(), "pare: too much is lost\n      give more\n");
  EXPECT_EQ(
      machine.out.str(),
      "{\n  \"output\": \"m.onnx\",\n  \"error\": {\"kind\": \"unmet\", \"message\": \"too much is "
      "lost\", \"advice\": \"give more\", \"exit_code\": 1}\n}\n");
}

TEST(Console, SaysWhenTheResultIsLost) {
  Streams streams;
  Console console(streams.out, streams.err, {});
  streams.out.setstate(std::ios::badbit);
  EXPECT_EQ(console.Print("result").error().kind(), ErrorKind::kIo);
}

TEST(ExitCodes, AreOneForEachKind) {
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::kInternal); ++kind) {
    const ExitCode& code = ExitCodeOf(static_cast<ErrorKind>(kind));
    EXPECT_EQ(static_cast<int>(code.kind), kind);
    for (const ExitCode& other : ExitCodes())
      EXPECT_TRUE(other.kind == code.kind || other.code != code.code);
  }
}

}  // namespace
}  // namespace pare::cli
