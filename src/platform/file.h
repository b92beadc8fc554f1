// Files: mapped and read whole, written so that a reader never sees half of one.
// Errors carry the path, the reason and what to do.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace pare {

// A regular file mapped read-only for as long as someone holds it. An empty file has no bytes.
// The file must not be shortened by others meanwhile (replacing it, as AtomicFile does, is fine).
class MappedFile {
 public:
  static Result<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Tells that `count` more bytes have been read and are hardly needed again. From time to time the
  // pages are given back, so that streaming a large file doesn't count as the process's memory;
  // they stay in the system's cache, and bytes() stays valid.
  void Used(size_t count) const noexcept;

 private:
  MappedFile(std::string path, const std::byte* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}

  std::string path_;
  const std::byte* data_;
  size_t size_;
  mutable std::atomic<size_t> used_{0};
};

// The whole content, also of a pipe or device. For texts; models and data are mapped.
Result<std::string> ReadFile(const std::string& path);

// A file under a temporary name in the folder of `path`, until Commit puts it in the place of
// `path` with the permissions that the old file had. Without Commit nothing is left behind. A
// symbolic link stays one; a device or pipe (/dev/stdout) is written to directly.
class AtomicFile {
 public:
  static Result<AtomicFile> Create(const std::string& path);
  AtomicFile(AtomicFile&& other) noexcept { *this = std::move(other); }
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  Status Write(std::span<const std::byte> bytes);
  Status Write(std::string_view text) { return Write(std::as_bytes(std::span(text))); }
  // Zeros up to the next multiple of `alignment`.
  Status PadTo(int64_t alignment);
  int64_t offset() const { return offset_; }  // bytes written so far

  // Where what was written can be read before Commit, after a Flush.
  const std::string& current_path() const { return temporary_.empty() ? target_ : temporary_; }
  Status Flush();
  // Everything on disk, then renamed. To be called once; after an error nothing has changed.
  Status Commit();

 private:
  AtomicFile() = default;
  Status WriteOut(std::span<const std::byte> bytes);
  void Discard() noexcept;

  std::string path_;       // as the caller named it
  std::string target_;     // links resolved
  std::string temporary_;  // "" = written directly
  int descriptor_ = -1;
  int64_t offset_ = 0;
  std::vector<std::byte> buffer_;
};

Status WriteFileAtomic(const std::string& path, std::span<const std::byte> bytes);
Status WriteFileAtomic(const std::string& path, std::string_view text);

struct DirectoryEntry {
  std::string name;  // without the folder
  bool is_directory;
};
// Sorted by the bytes of the name; "." and ".." left out; symbolic links are followed.
Result<std::vector<DirectoryEntry>> ListDirectory(const std::string& path);

bool FileExists(const std::string& path);  // of any kind
bool IsRegularFile(const std::string& path);
bool IsDirectory(const std::string& path);
Status MakeDirectories(const std::string& path);

// Whether both names lead to one existing file: a command must not write where it reads.
bool SameFile(const std::string& a, const std::string& b);

// The same text for all names that lead to one file, also where that file is not there yet.
std::string FileIdentity(const std::string& path);

// "a/b" from "a" and "b", whether or not `folder` ends in '/'.
std::string JoinPath(std::string_view folder, std::string_view name);

}  // namespace pare
