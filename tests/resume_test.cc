// A training process that is killed goes on to the bytes that it would have written: processes of
// the built program, as a power cut or an out-of-memory killer leaves them.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/random.h"
#include "platform/file.h"
#include "platform/test_folder.h"
#include "running.h"

namespace pare {
namespace {

using Arguments = std::vector<std::string>;

constexpr int kSteps = 600;

// The program with its messages in `log`; −1 where it can't be started.
pid_t Start(const Arguments& arguments, const std::string& log) {
  std::vector<char*> argv;
  Arguments all = {PARE_PROGRAM};
  all.insert(all.end(), arguments.begin(), arguments.end());
  for (std::string& argument : all) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child = -1;
  const int failed = posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? child : -1;
}

// How it ended, as waitpid tells.
int EndOf(pid_t child) {
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

// Kills the child once `file` is there; whether it was still running then.
bool KillOnceThere(pid_t child, const std::string& file) {
  while (!FileExists(file)) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) != 0) return false;
    usleep(500);
  }
  kill(child, SIGKILL);
  return WIFSIGNALED(EndOf(child));
}

// Rows for tests/models/mlp.onnx, with labels beside them.
std::string SomeData(const TestFolder& folder) {
  constexpr int64_t kRows = 64;
  Random random(5);
  Tensor rows = Tensor::Make(DType::kF32, {kRows, 20}).value();
  for (float& x : rows.mutable_as<float>()) x = random.Normal();
  std::vector<int64_t> labels(kRows);
  for (int64_t& label : labels) label = random.Below(10);
  EXPECT_TRUE(data::SaveNpy(folder / "x.npy", rows));
  EXPECT_TRUE(data::SaveNpy(folder / "x_labels.npy", Tensor::Of<int64_t>({kRows}, labels)));
  return folder / "x.npy";
}

TEST(Resume, AKilledRunGoesOnToTheSameBytes) {
  const TestFolder folder;
  const std::string data = SomeData(folder), checkpoint = folder / "run.npz", log = folder / "log";
  const auto train = [&](const std::string& output, Arguments more) {
    Arguments arguments = {"train",
                           SourcePath("tests/models/mlp.onnx"),
                           "--data",
                           data,
                           "-o",
                           output,
                           "--steps",
                           std::to_string(kSteps),
                           "--batch",
                           "8",
                           "--rate",
                           "0.01",
                           "--ema",
                           "0.9",
                           "--threads",
                           "1",
                           "--validate-every",
                           "200"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Start(arguments, log);
  };
  const std::string whole = folder / "whole.onnx", resumed = folder / "resumed.onnx";
  ASSERT_EQ(EndOf(train(whole, {})), 0) << ReadFile(log).value_or("");

  // A run that is done before it can be killed shows nothing: once more.
  bool killed = false;
  for (int attempt = 0; attempt < 10 && !killed; ++attempt) {
    std::filesystem::remove(checkpoint);
    const pid_t child = train(resumed, {"--checkpoint", checkpoint, "--checkpoint-every", "1"});
    ASSERT_GT(child, 0);
    killed = KillOnceThere(child, checkpoint);
  }
  ASSERT_TRUE(killed);
  EXPECT_FALSE(FileExists(resumed));
  ASSERT_EQ(EndOf(train(resumed, {"--checkpoint", checkpoint, "--resume"})), 0)
      << ReadFile(log).value_or("");
  EXPECT_NE(ReadFile(log)->find("going on after step"), std::string::npos) << *ReadFile(log);
  EXPECT_TRUE(ReadFile(whole).value() == ReadFile(resumed).value());
}

}  // namespace
}  // namespace pare
