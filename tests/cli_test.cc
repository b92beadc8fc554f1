// The program from its command line to its exit code, in this process.
#include <boost/json/src.hpp>

#include "cli/command.h"
#include "demo.h"
#include "platform/file.h"
#include "platform/test_folder.h"

namespace pare {
namespace {

namespace json = boost::json;

using demo::kModel;
using demo::kPictures;

const std::string kOther = SourcePath("tests/models/attention_block.onnx");

TEST(CommandLine, ListsItsCommands) {
  for (const Arguments& arguments : {Arguments{}, {"--help"}, {"help"}}) {
    const Ran ran = Pare(arguments);
    EXPECT_EQ(ran.code, 0);
    for (const cli::Command* command : cli::AllCommands()) {
      EXPECT_TRUE(Has(ran.out, Text("\n  ", command->name, ' '))) << command->name;
    }
    EXPECT_TRUE(Has(ran.out, "130  interrupted"));
  }
}

TEST(CommandLine, RefusesAnInstructionSetThatIsNone) {
  ASSERT_EQ(setenv("PARE_ISA", "avx3", 1), 0);
  const Ran ran = Pare({"inspect", kModel});
  unsetenv("PARE_ISA");
  EXPECT_EQ(ran.code, 2);
  for (const char* part : {"PARE_ISA", "'avx3'", "scalar, avx2,", "neondot"}) {
    EXPECT_TRUE(Has(ran.err, part)) << ran.err;
  }
}

TEST(CommandLine, HelpOfEachCommandHasAnExample) {
  for (const cli::Command* command : cli::AllCommands()) {
    const std::string name(command->name);
    const Ran ran = Pare({name, "--help"});
    EXPECT_EQ(ran.code, 0);
    EXPECT_TRUE(Has(ran.out, "usage: pare " + name));
    EXPECT_TRUE(Has(ran.out, "examples:\n  pare " + name));
    EXPECT_TRUE(Has(ran.out, "--json"));
    EXPECT_EQ(ran.out, Pare({"help", name}).out);
  }
}

TEST(CommandLine, ErrorsHaveAReasonAWayOutAndACode) {
  const TestFolder folder;
  const std::string garbage = folder.Write("garbage.onnx", "this is no model");
  const std::string out = folder / "out.onnx";
  const struct {
    Arguments arguments;
    int code;
    std::string_view message;
  } kCases[] = {
      {{"quantise"}, 2, "is quantize meant?"},
      {{"--quiet", "bench"}, 2, "the command is missing"},
      {{"bench", kModel, "--thread", "1"}, 2, "is --threads meant?"},
      {{"bench"}, 2, "MODEL is missing"},
      {{"inspect", folder / "none.onnx"}, 3, "none.onnx"},
      {{"bench", folder / "none.onnx"}, 3, "none.onnx"},
      {{"inspect", garbage}, 4, "garbage.onnx: is a text, and no ONNX file"},
      {{"inspect", folder.path()}, 2, "name a file in it"},
      {{"evaluate", kModel, "--data", folder / "none"}, 3, "none"},
      {{"evaluate", kModel, "--data", kPictures, "--std", "0"}, 2, "--std"},
      {{"evaluate", kModel, "--data", kPictures, "--scale", "0"}, 2, "--scale"},
      {{"compare", kModel, garbage, "--data", kPictures}, 4, "garbage.onnx"},
      {{"quantize", kModel, "--data", kPictures}, 2, "-o, --output FILE is missing"},
      {{"quantize", kModel, "--data", kPictures, "-o", kModel}, 2, "would be overwritten"},
      {{"quantize", kModel, "--data", kPictures, "-o", kPictures}, 2, "would be overwritten"},
      {{"quantize", kModel, "--data", kPictures, "-o", folder.path()}, 2, "it is a folder"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--calibrator", "best"},
       2,
       "--calibrator"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--keep-float", "*"},
       2,
       "--keep-float patterns leave no layer"},
      {{"quantize", kModel, "--data", kPictures, "-o", folder / "none/out.onnx"},
       3,
       "can't create"},
      {{"quantize", kModel, "--data", kPictures, "-o", "/dev/null"}, 2, "a pipe or device"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--max-drop", "101"}, 2, "not between"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--max-drop", "1", "--metric", "mse"},
       2,
       "leave it out"},
      {{"evaluate", kModel, "--data", kPictures, "--label-offset", "1"},
       2,
       "none of the model's 10 classes"},
      {{"evaluate", kModel, "--data", kPictures, "--labels", garbage}, 2, "no file of labels"},
      {{"evaluate", kModel, "--data", kPictures, "--label", "y"}, 2, "no columns"},
      {{"compare", kModel, kOther, "--data", kPictures}, 2, "their inputs are \"input\""},
      {{"run", kModel}, 2, "nothing is given for the input \"input\""},
      {{"bench", kModel, "--shape", "input=1x3x31x31"}, 2, "does not fit"},
      {{"bench", kModel, "--batch", "0"}, 2, "a whole number from 1 on"},
      {{"bench", kModel, "--seconds", "0"}, 2, "e.g. --seconds 2"},
      {{"bench", kModel, "--batch", "1", "--batch", "2"}, 2, "leave one of the two out"},
      {{"design", kModel, "-o", out, "--width", "2"}, 2, "the part that stays, e.g. 0.5"},
      {{"design", kModel, "-o", out, "--target-macs", "0"}, 2, "e.g. 0.5x"},
      {{"train", kModel, "--data", kPictures, "-o", out, "--smoothing", "2"},
       2,
       "a number from 0 to 1"},
      {{"train", kModel, "--data", kPictures, "-o", out, "--mixup", "11"},
       2,
       "a number from 0 to 10"},
      {{"evaluate", kModel, "--data", kPictures, "--limit", "1e3"}, 2, "digits alone, e.g. 1000"},
      {{"evaluate", kModel, "--data", kPictures, "--bgr", "--rgb"}, 2, "--bgr is given as well"},
      {{"evaluate", kModel, "--data", folder.Write("one.png", "")}, 5, "put it in a folder"},
      {{"quantize", kModel, "--data", kPictures, "-o", "-"}, 2, "name a file"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--max-drop", "abc"}, 2, "e.g. 0.5"},
      {{"quantize", kModel, "--data", kPictures, "-o", out, "--force", "--target", "native"},
       2,
       "leave one of the two out"},
  };
  for (const auto& [arguments, code, message] : kCases) {
    const Ran ran = Pare(arguments);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_TRUE(ran.err.starts_with("pare: ") || Has(ran.err, "\npare: ")) << ran.err;
    EXPECT_TRUE(Has(ran.err, message)) << ran.err;
    EXPECT_EQ(ran.out, "");

    const Ran machine = Pare(arguments + Arguments{"--json"});
    EXPECT_EQ(machine.code, code);
    const json::object error = machine.object().at("error").as_object();
    EXPECT_EQ(error.at("exit_code").as_int64(), code);
    EXPECT_TRUE(Has(
        std::string(error.at("message").as_string()) + std::string(error.at("advice").as_string()),
        message))
        << machine.out;
  }
  EXPECT_FALSE(FileExists(out));
}

TEST(CommandLine, DoctorAndVersionKnowTheMachine) {
  const json::object machine = Pare({"doctor", "--json"}).object();
  EXPECT_GE(machine.at("threads").as_int64(), 1);
  EXPECT_EQ(machine.at("isas").as_array().at(0).as_string(), "scalar");
  EXPECT_GT(machine.at("memory_bytes").as_int64(), 0);
  EXPECT_TRUE(Has(Pare({"doctor"}).out, "threads"));
  const json::object version = Pare({"version", "--json"}).object();
  EXPECT_EQ(version.at("version"), machine.at("version"));
  if (!version.at("commit").is_null()) {
    EXPECT_TRUE(Has(Pare({"--version"}).out, version.at("commit").as_string()));
  }
  EXPECT_TRUE(Has(Pare({"--version"}).out, "pare "));
}

TEST(Threads, AreAtMostWhatTheProcessMayUse) {
  const Ran ran = Pare({"bench", kModel, "--threads", "9999", "--seconds", "0.01", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.object().at("threads"), Pare({"doctor", "--json"}).object().at("threads"));
  EXPECT_TRUE(Has(ran.err, "note: --threads 9999: ")) << ran.err;
}

}  // namespace
}  // namespace pare
