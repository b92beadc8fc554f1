// What a command reads and what it writes: no file that is read, or written for something else, is
// overwritten.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace pare::cli {

class CommandFiles {
 public:
  // A file or folder; "" stands for none. A command that learns later of more to read (a model's
  // external data) adds it and checks again.
  void Read(const std::string& path);
  void Read(const std::vector<std::string>& paths);
  // A file; "" stands for none. What is read again to go on from (a checkpoint, a cache) counts
  // here alone.
  void Write(const std::string& path);
  // A folder for files of the command's own naming: nothing else may lie in it.
  void WriteFolder(const std::string& path);

  // To be asked before long work. Fails where writing would destroy what is read (a file in it,
  // where it is a folder), where two outputs are one file, or where writing can't work. Files are
  // told apart by where their names lead, through links of both kinds. Leaves nothing behind.
  Status Check() const;

 private:
  Status CheckInputs() const;
  Status CheckFolders() const;

  std::vector<std::string> inputs_, outputs_;
  std::vector<std::string> folders_;  // of outputs
};

}  // namespace pare::cli
