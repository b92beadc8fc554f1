#include "platform/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace pare {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr size_t kReleaseBytes = 8 << 20;

std::string_view AdviceFor(int code) {
  switch (code) {
    case ENOENT:
    case ENOTDIR:
      return "check the spelling of the path and the current directory";
    case EACCES:
    case EPERM:
      return "check the permissions of the file and of its folders";
    case EROFS:
      return "the file system is read-only; write somewhere else";
    case ENOSPC:
    case EDQUOT:
      return "the disk is full or a quota is used up; free some space or write somewhere else";
    case EFBIG:
      return "the file would pass the allowed file size; see `ulimit -f`";
    case EMFILE:
    case ENFILE:
      return "too many files are open; see `ulimit -n`";
    default:
      return "";
  }
}

tl::unexpected<Error> SystemError(const std::string& path, std::string_view action, int code) {
  const bool missing = code == ENOENT || code == ENOTDIR;
  return Fail(Error(missing ? ErrorKind::kNotFound : ErrorKind::kIo,
                    Text(action, ": ", std::generic_category().message(code)),
                    std::string(AdviceFor(code)))
                  .at(path));
}

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Where the chain of symbolic links ends, also if that file doesn't exist yet.
std::string ResolveLinks(std::string path) {
  std::error_code error;
  for (int i = 0; i < 40 && std::filesystem::is_symlink(path, error); ++i) {
    const std::filesystem::path next = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = next.is_absolute() ? next.string() : JoinPath(FolderOf(path), next.string());
  }
  return path;
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError(path, "can't open", errno);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return SystemError(path, "can't examine", errno);
  if (S_ISDIR(info.st_mode))
    return Fail(Error(ErrorKind::kUsage, "is a folder, not a file", "name a file in it").at(path));
  if (!S_ISREG(info.st_mode)) {
    return Fail(Error(ErrorKind::kUnsupported, "is a pipe or device, which can't be mapped",
                      "write it to a file first")
                    .at(path));
  }
  const size_t size = static_cast<size_t>(info.st_size);
  void* data = nullptr;
  if (size > 0) {
    data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (data == MAP_FAILED) return SystemError(path, "can't map", errno);
  }
  return std::shared_ptr<const MappedFile>(
      new MappedFile(path, static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  if (size_ > 0) munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::Used(size_t count) const noexcept {
  if (used_.fetch_add(count, std::memory_order_relaxed) + count < kReleaseBytes) return;
  used_.store(0, std::memory_order_relaxed);
  madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

Result<std::string> ReadFile(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return SystemError(path, "can't open", errno);
  std::string content;
  struct stat info;
  if (fstat(file.get(), &info) == 0 && info.st_size > 0) content.reserve(info.st_size + 1);
  char chunk[64 << 10];
  while (true) {
    const ssize_t got = read(file.get(), chunk, sizeof(chunk));
    if (got == 0) return content;
    if (got > 0) {
      content.append(chunk, got);
    } else if (errno != EINTR) {
      return SystemError(path, "can't read", errno);
    }
  }
}

Result<AtomicFile> AtomicFile::Create(const std::string& path) {
  AtomicFile file;
  file.path_ = path;
  file.target_ = ResolveLinks(path);
  file.buffer_.reserve(kBufferBytes);
  struct stat info;
  const bool exists = stat(file.target_.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) {
    return Fail(Error(ErrorKind::kUsage, "is a folder", "name a file to write").at(path));
  }
  if (exists && !S_ISREG(info.st_mode)) {
    file.descriptor_ = open(file.target_.c_str(), O_WRONLY | O_CLOEXEC);
    if (file.descriptor_ < 0) return SystemError(path, "can't write", errno);
    return file;
  }
  static std::atomic<unsigned> counter{0};
  do {
    file.temporary_ = JoinPath(FolderOf(file.target_),
                               Text(".pare-", getpid(), "-", counter.fetch_add(1), ".tmp"));
    file.descriptor_ = open(file.temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (file.descriptor_ < 0 && errno == EEXIST);
  if (file.descriptor_ < 0) {
    const int code = errno;
    file.temporary_.clear();
    return SystemError(path, "can't create a file in its folder", code);
  }
  // Where the permissions can't be kept (someone else's file), those of a new file will do.
  if (exists && fchmod(file.descriptor_, info.st_mode & 07777) != 0) errno = 0;
  return file;
}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    Discard();
    path_ = std::move(other.path_);
    target_ = std::move(other.target_);
    temporary_ = std::exchange(other.temporary_, {});
    descriptor_ = std::exchange(other.descriptor_, -1);
    offset_ = other.offset_;
    buffer_ = std::move(other.buffer_);
  }
  return *this;
}

AtomicFile::~AtomicFile() { Discard(); }

void AtomicFile::Discard() noexcept {
  if (descriptor_ >= 0) close(std::exchange(descriptor_, -1));
  if (!temporary_.empty()) unlink(temporary_.c_str());
  temporary_.clear();
}

Status AtomicFile::Write(std::span<const std::byte> bytes) {
  PARE_DCHECK(descriptor_ >= 0);
  if (buffer_.size() + bytes.size() > kBufferBytes) PARE_TRY(Flush());
  if (bytes.size() >= kBufferBytes) {
    PARE_TRY(WriteOut(bytes));
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
  offset_ += static_cast<int64_t>(bytes.size());
  return {};
}

Status AtomicFile::PadTo(int64_t alignment) {
  static constexpr std::byte kZeros[64] = {};
  int64_t rest = (alignment - offset_ % alignment) % alignment;
  for (; rest > 0; rest -= 64)
    PARE_TRY(Write({kZeros, static_cast<size_t>(std::min<int64_t>(rest, 64))}));
  return {};
}

Status AtomicFile::Flush() {
  PARE_TRY(WriteOut(buffer_));
  buffer_.clear();
  return {};
}

Status AtomicFile::WriteOut(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = write(descriptor_, bytes.data(), bytes.size());
    if (wrote >= 0) {
      bytes = bytes.subspan(wrote);
    } else if (errno != EINTR) {
      return SystemError(path_, "can't write", errno);
    }
  }
  return {};
}

Status AtomicFile::Commit() {
  PARE_DCHECK(descriptor_ >= 0);
  PARE_TRY(Flush());
  if (!temporary_.empty() && fsync(descriptor_) != 0)
    return SystemError(path_, "can't write", errno);
  if (close(std::exchange(descriptor_, -1)) != 0) return SystemError(path_, "can't write", errno);
  if (temporary_.empty()) return {};
  if (rename(temporary_.c_str(), target_.c_str()) != 0) {
    return SystemError(path_, "can't put the new file in its place", errno);
  }
  temporary_.clear();
  // So that the new name, too, outlives a power cut. Some file systems can't; the file is there.
  const Descriptor folder(open(FolderOf(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() >= 0 && fsync(folder.get()) != 0) errno = 0;
  return {};
}

Status WriteFileAtomic(const std::string& path, std::span<const std::byte> bytes) {
  PARE_ASSIGN(AtomicFile file, AtomicFile::Create(path));
  PARE_TRY(file.Write(bytes));
  return file.Commit();
}

Status WriteFileAtomic(const std::string& path, std::string_view text) {
  return WriteFileAtomic(path, std::as_bytes(std::span(text)));
}

Result<std::vector<DirectoryEntry>> ListDirectory(const std::string& path) {
  const std::unique_ptr<DIR, decltype([](DIR* folder) { closedir(folder); })> folder(
      opendir(path.c_str()));
  if (!folder) return SystemError(path, "can't list the folder", errno);
  std::vector<DirectoryEntry> entries;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(folder.get());
    if (!entry) break;
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) {
      is_directory = IsDirectory(JoinPath(path, name));
    }
    entries.push_back({std::string(name), is_directory});
  }
  if (errno != 0) return SystemError(path, "can't list the folder", errno);
  std::sort(entries.begin(), entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  return entries;
}

bool FileExists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

bool IsRegularFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool IsDirectory(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return SystemError(path, "can't make the folder", error.value());
  return {};
}

bool SameFile(const std::string& a, const std::string& b) {
  struct stat first, second;
  return stat(a.c_str(), &first) == 0 && stat(b.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

std::string FileIdentity(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0) return Text(info.st_dev, ':', info.st_ino);
  std::error_code error;
  const auto whole = std::filesystem::weakly_canonical(ResolveLinks(path), error);
  if (error) return path;
  return (whole.is_absolute() ? whole : std::filesystem::absolute(whole, error).lexically_normal())
      .string();
}

std::string JoinPath(std::string_view folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  return Text(folder, folder.ends_with('/') ? "" : "/", name);
}

}  // namespace pare
