#include "platform/file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "base/aligned_bytes.h"
#include "base/cursor.h"
#include "platform/memory.h"
#include "platform/signal.h"
#include "platform/test_folder.h"

namespace pare {
namespace {

bool Mentions(const Error& error, std::string_view what) {
  return error.message().find(what) != std::string::npos;
}

TEST(MappedFile, GivesTheBytes) {
  TestFolder folder;
  const std::string path = folder.Write("a", "some bytes");
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file);
  ASSERT_EQ(unlink(path.c_str()), 0);  // the mapping holds the content
  EXPECT_EQ(TextOf((*file)->bytes()), "some bytes");
  auto empty = MappedFile::Open(folder.Write("empty", ""));
  ASSERT_TRUE(empty);
  EXPECT_TRUE((*empty)->bytes().empty());
}

TEST(MappedFile, BytesStayAfterTheyWereGivenBack) {
  TestFolder folder;
  auto file = MappedFile::Open(folder.Write("a", std::string(100'000, 'q')));
  ASSERT_TRUE(file);
  for (int i = 0; i < 1000; ++i) (*file)->Used(100'000);
  EXPECT_EQ(TextOf((*file)->bytes()), std::string(100'000, 'q'));
}

TEST(MappedFile, ErrorsNameThePath) {
  TestFolder folder;
  struct Case {
    std::string path;
    ErrorKind kind;
  };
  for (const Case& c :
       {Case{folder / "missing", ErrorKind::kNotFound}, Case{folder.path(), ErrorKind::kUsage},
        Case{"/dev/null", ErrorKind::kUnsupported}}) {
    const auto file = MappedFile::Open(c.path);
    ASSERT_FALSE(file) << c.path;
    EXPECT_EQ(file.error().kind(), c.kind) << c.path;
    EXPECT_TRUE(Mentions(file.error(), c.path)) << file.error().message();
  }
}

TEST(ReadFile, ReadsAllAndNamesTheMissing) {
  TestFolder folder;
  const std::string text(200'000, 'x');
  EXPECT_EQ(ReadFile(folder.Write("big", text)).value(), text);
  EXPECT_EQ(ReadFile("/dev/null").value(), "");
  EXPECT_EQ(ReadFile(folder / "no").error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(ReadFile(folder.path()).error().kind(), ErrorKind::kIo);
}

TEST(AtomicFile, OldContentUntilCommit) {
  TestFolder folder;
  const std::string path = folder.Write("model", "old");
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  {
    auto file = AtomicFile::Create(path);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->Write("abc"));
    ASSERT_TRUE(file->PadTo(64));
    EXPECT_EQ(file->offset(), 64);
    ASSERT_TRUE(file->Write(std::string(1 << 20, 'y')));
    EXPECT_EQ(ReadFile(path).value(), "old");
    AtomicFile moved = std::move(*file);
    ASSERT_TRUE(moved.Commit());
  }
  const std::string content = ReadFile(path).value();
  EXPECT_EQ(content.size(), 64u + (1 << 20));
  EXPECT_EQ(content.substr(0, 5), std::string("abc\0\0", 5));
  EXPECT_EQ(content.back(), 'y');
  struct stat info;
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  EXPECT_EQ(ListDirectory(folder.path()).value().size(), 1u);
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  TestFolder folder;
  {
    auto file = AtomicFile::Create(folder / "new");
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->Write(std::string(1 << 20, 'y')));
  }
  EXPECT_TRUE(ListDirectory(folder.path()).value().empty());
}

TEST(AtomicFile, FollowsLinksAndWritesDevices) {
  TestFolder folder;
  folder.Write("real", "1");
  ASSERT_EQ(symlink("real", (folder / "link").c_str()), 0);
  ASSERT_TRUE(WriteFileAtomic(folder / "link", "2"));
  EXPECT_EQ(ReadFile(folder / "real").value(), "2");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_TRUE(WriteFileAtomic("/dev/null", "gone"));
  const Status full = WriteFileAtomic("/dev/full", "no room");
  ASSERT_FALSE(full);
  EXPECT_TRUE(Mentions(full.error(), "disk is full")) << full.error().message();
}

TEST(AtomicFile, ErrorsWhereItCannotWrite) {
  TestFolder folder;
  EXPECT_EQ(WriteFileAtomic(folder / "no/such/file", "x").error().kind(), ErrorKind::kNotFound);
  EXPECT_EQ(WriteFileAtomic(folder.path(), "x").error().kind(), ErrorKind::kUsage);
}

// A file size limit plays the full disk.
TEST(AtomicFile, NoRestIsLeftWhenTheDiskIsFull) {
  TestFolder folder;
  const std::string path = folder.Write("model", "old");
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = WriteFileAtomic(path, std::string(1 << 20, 'z'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind(), ErrorKind::kIo);
  EXPECT_TRUE(Mentions(status.error(), path)) << status.error().message();
  EXPECT_EQ(ReadFile(path).value(), "old");
  EXPECT_EQ(ListDirectory(folder.path()).value().size(), 1u);
}

TEST(ListDirectory, SortedWithKinds) {
  TestFolder folder;
  folder.Write("b.txt", "");
  folder.Write("a/x", "");
  folder.Write("B", "");
  const auto entries = ListDirectory(folder.path()).value();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].name, "B");
  EXPECT_EQ(entries[1].name, "a");
  EXPECT_TRUE(entries[1].is_directory);
  EXPECT_FALSE(entries[2].is_directory);
  EXPECT_EQ(ListDirectory(folder / "none").error().kind(), ErrorKind::kNotFound);
}

TEST(SameFile, SeesThroughNames) {
  TestFolder folder;
  const std::string a = folder.Write("a", "1"), b = folder.Write("b", "1");
  ASSERT_EQ(link(a.c_str(), (folder / "hard").c_str()), 0);
  EXPECT_TRUE(SameFile(a, folder.path() + "/./a"));
  EXPECT_TRUE(SameFile(a, folder / "hard"));
  EXPECT_FALSE(SameFile(a, b));
  EXPECT_FALSE(SameFile(a, folder / "none"));
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
}

TEST(Memory, PeakGrowsAndBlocksAreAligned) {
  const int64_t before = PeakRssBytes();
  EXPECT_GT(before, 0);
  constexpr size_t kBytes = size_t{64} << 20;
  AlignedBytes block = AllocateAligned(kBytes);
  ASSERT_TRUE(block);
  std::memset(block.get(), 1, kBytes);
  EXPECT_GE(PeakRssBytes(), int64_t{kBytes});
  for (size_t bytes : {0, 1, 63, 64, 65, 3 << 20}) {
    const AlignedBytes some = AllocateAligned(bytes);
    ASSERT_TRUE(some);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(some.get()) % 64, 0u);
  }
  EXPECT_FALSE(AllocateAligned(SIZE_MAX - 10));
}

TEST(Interrupt, SetsTheFlagOnce) {
  EXPECT_FALSE(Interrupted());
  {
    const InterruptScope scope;
    EXPECT_TRUE(CheckInterrupt());
    raise(SIGINT);
    EXPECT_TRUE(Interrupted());
    EXPECT_EQ(CheckInterrupt().error().kind(), ErrorKind::kCancelled);
    struct sigaction now;
    ASSERT_EQ(sigaction(SIGINT, nullptr, &now), 0);
    EXPECT_EQ(now.sa_handler, SIG_DFL);  // the next one ends the process
  }
  EXPECT_FALSE(Interrupted());
}

}  // namespace
}  // namespace pare
