// A training process that is killed goes on to the bytes that it would have written, and with
// another number of threads, too: processes of the built program, as a power cut or an
// out-of-memory killer leaves them.
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

// Kills the child once it has written `file` some times; whether it was still running then. The
// first one is of the start, and each is a new file.
bool KillAfterSome(pid_t child, const std::string& file) {
  constexpr int kWritten = 5;
  std::string last;
  for (int written = 0; written < kWritten;) {
    const std::string now = FileExists(file) ? FileIdentity(file) : "";
    written += !now.empty() && now != last;
    last = now;
    int status = 0;
    if (waitpid(child, &status, WNOHANG) != 0) return false;
    usleep(500);
  }
  kill(child, SIGKILL);
  return WIFSIGNALED(EndOf(child));
}

// Samples of normally distributed values, with labels beside them.
std::string SomeData(const TestFolder& folder, Dims shape, int64_t classes) {
  Random random(5);
  const int64_t samples = shape[0];
  Tensor rows = Tensor::Make(DType::kF32, std::move(shape)).value();
  for (float& x : rows.mutable_as<float>()) x = random.Normal();
  std::vector<int64_t> labels(samples);
  for (int64_t& label : labels) label = random.Below(classes);
  EXPECT_TRUE(data::SaveNpy(folder / "x.npy", rows));
  EXPECT_TRUE(data::SaveNpy(folder / "x_labels.npy", Tensor::Of<int64_t>({samples}, labels)));
  return folder / "x.npy";
}

// How many threads a run has that is killed, and the one that goes on from it.
struct Threads {
  int killed, resumed;
};

// What is common to the runs of a test.
class KilledRun {
 public:
  // `often`: options by which the checkpoint is written more often than the run asks for.
  KilledRun(const TestFolder& folder, Arguments arguments,
            Arguments often = {"--checkpoint-every", "1"})
      : folder_(folder), arguments_(std::move(arguments)), often_(std::move(often)) {}

  // The run that nobody kills has the threads of the one that is killed.
  void ExpectTheSameBytes(Threads threads) {
    const std::string whole = folder_ / "whole.onnx", resumed = folder_ / "resumed.onnx",
                      checkpoint = folder_ / "run.npz";
    ASSERT_EQ(EndOf(Begin(whole, threads.killed, {})), 0) << Log();
    // A run that is done before it can be killed shows nothing: once more.
    bool killed = false;
    for (int attempt = 0; attempt < 10 && !killed; ++attempt) {
      std::filesystem::remove(checkpoint);
      Arguments more = {"--checkpoint", checkpoint};
      more.insert(more.end(), often_.begin(), often_.end());
      const pid_t child = Begin(resumed, threads.killed, more);
      ASSERT_GT(child, 0);
      killed = KillAfterSome(child, checkpoint);
    }
    ASSERT_TRUE(killed);
    EXPECT_FALSE(FileExists(resumed));
    ASSERT_EQ(EndOf(Begin(resumed, threads.resumed, {"--checkpoint", checkpoint, "--resume"})), 0)
        << Log();
    EXPECT_NE(Log().find("going on after step"), std::string::npos) << Log();
    EXPECT_TRUE(ReadFile(whole).value() == ReadFile(resumed).value());
  }

 private:
  std::string Log() const { return ReadFile(folder_ / "log").value_or(""); }
  pid_t Begin(const std::string& output, int threads, const Arguments& more) {
    Arguments arguments = arguments_;
    arguments.insert(arguments.end(), {"-o", output, "--threads", std::to_string(threads)});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return Start(arguments, folder_ / "log");
  }

  const TestFolder& folder_;
  const Arguments arguments_, often_;
};

TEST(Resume, AKilledTrainingGoesOnToTheSameBytes) {
  const TestFolder folder;
  KilledRun(folder, {"train", SourcePath("tests/models/mlp.onnx"), "--data",
                     SomeData(folder, {64, 20}, 10), "--steps", std::to_string(kSteps), "--batch",
                     "8", "--rate", "0.01", "--ema", "0.9", "--validate-every", "200"})
      .ExpectTheSameBytes({.killed = 2, .resumed = 1});
}

// The teacher's answers are remembered, and those of the killed process are lost: what is asked
// again is asked beside other samples.
TEST(Resume, AKilledDistillationGoesOnToTheSameBytes) {
  const TestFolder folder;
  const std::string teacher = WriteModel(folder / "teacher.onnx", kWideConvolutions),
                    student = folder / "student.onnx";
  ASSERT_EQ(EndOf(Start({"design", teacher, "-o", student, "--width", "0.5"}, folder / "log")), 0)
      << ReadFile(folder / "log").value_or("");
  KilledRun(folder, {"distill", "--teacher", teacher, "--student", student, "--data",
                     SomeData(folder, {88, 3, 12, 12}, 5), "--steps", "60", "--batch", "8",
                     "--rate", "0.01", "--validation", "0", "--validate-every", "30"})
      .ExpectTheSameBytes({.killed = 1, .resumed = 2});
}

// Quantization-aware training, from the float model's answers; its checkpoints are those of the
// validations.
TEST(Resume, AKilledTuningGoesOnToTheSameBytes) {
  const TestFolder folder;
  const std::string model = WriteModel(folder / "model.onnx", kWideProducts);
  KilledRun(folder,
            {"quantize",
             model,
             "--data",
             SomeData(folder, {600, 20}, 10),
             "--target",
             "any",
             "--calibration",
             "50",
             "--verification",
             "100",
             "--seconds",
             "0.01",
             "--weight-bits",
             "4",
             "--tune",
             "--steps",
             "400",
             "--tune-batch",
             "32",
             "--validate-every",
             "5",
             "--rate",
             "0.003"},
            {})
      .ExpectTheSameBytes({.killed = 2, .resumed = 1});
}

}  // namespace
}  // namespace pare
