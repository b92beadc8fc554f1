#include "cli/files.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "platform/test_folder.h"

namespace pare::cli {
namespace {

// What Check says, "" for nothing.
std::string Complaint(const std::vector<std::string>& inputs,
                      const std::vector<std::string>& outputs) {
  CommandFiles files;
  files.Read(inputs);
  for (const std::string& output : outputs) files.Write(output);
  const Status status = files.Check();
  return status ? "" : status.error().message();
}

TEST(CommandFiles, RefusesToOverwriteInputsUnderAnyName) {
  const TestFolder folder;
  const std::string model = folder.Write("model.onnx", "m");
  std::filesystem::create_symlink(model, folder / "link.onnx");
  std::filesystem::create_hard_link(model, folder / "hard.onnx");
  std::filesystem::create_directory(folder / "sub");
  for (const std::string name : {"model.onnx", "link.onnx", "hard.onnx", "sub/../model.onnx"}) {
    EXPECT_NE(Complaint({model}, {folder / name}).find("would be overwritten"), std::string::npos)
        << name;
  }
  EXPECT_EQ(Complaint({model, ""}, {folder / "other.onnx", ""}), "");
  EXPECT_FALSE(std::filesystem::exists(folder / "other.onnx"));
}

TEST(CommandFiles, RefusesToOverwriteWhatLiesInAFolderOfInputs) {
  const TestFolder folder;
  std::filesystem::create_directory(folder / "data");
  folder.Write("data/a.png", "a");
  EXPECT_NE(Complaint({folder / "data"}, {folder / "data/a.png"}), "");
  EXPECT_EQ(Complaint({folder / "data"}, {folder / "data/new.onnx"}), "");
}

TEST(CommandFiles, RefusesTwoOutputsOfOneName) {
  const TestFolder folder;
  std::filesystem::create_symlink("same.npz", folder / "link.npz");
  std::filesystem::create_directory(folder / "sub");
  for (const std::string name : {"same.npz", "link.npz", "sub/../same.npz"}) {
    EXPECT_NE(Complaint({}, {folder / "same.npz", folder / name}), "") << name;
  }
  EXPECT_EQ(Complaint({}, {folder / "same.npz", folder / "other.npz"}), "");
  EXPECT_EQ(Complaint({}, {"/dev/null", "/dev/null"}), "");
}

TEST(CommandFiles, LeavesAFolderToItsOwnFiles) {
  const TestFolder folder;
  const std::string data = folder.Write("trace/start.npz", "x");
  std::filesystem::create_directories(folder / "data/sub");
  const auto complaint = [&](const std::string& input, const std::string& output,
                             const std::string& filled) {
    CommandFiles files;
    files.Read(input);
    files.Write(output);
    files.WriteFolder(filled);
    return files.Check() ? "" : files.Check().error().message();
  };
  EXPECT_NE(complaint(data, "", folder / "trace"), "");
  EXPECT_NE(complaint("", data, folder / "trace"), "");
  EXPECT_NE(complaint("", folder / "trace/new.onnx", folder / "sub/../trace"), "");
  EXPECT_NE(complaint(folder / "data", "", folder / "data"), "");
  EXPECT_NE(complaint(folder / "data", "", folder / "data/sub"), "");
  EXPECT_NE(complaint("", "", data), "");
  EXPECT_EQ(complaint(data, folder / "out.onnx", folder / "traces"), "");
  EXPECT_EQ(complaint(folder / "data", "", folder / "trace"), "");
}

}  // namespace
}  // namespace pare::cli
