// Progress for tests: stops a job as Ctrl-C does, and keeps what it says.
#pragma once

#include <string>

#include "base/progress.h"
#include "base/status.h"

namespace pare {

// Cancelled once so many units are done.
class StopAfter : public SilentProgress {
 public:
  explicit StopAfter(int64_t units) : left_(units) {}
  void Advance(int64_t units) override { left_ -= units; }
  bool cancelled() const override { return left_ <= 0; }

 private:
  int64_t left_;
};

// The notes, a line each.
class NotesHeard : public SilentProgress {
 public:
  void Note(std::string_view text) override { all_ += Text(text, '\n'); }
  const std::string& all() const { return all_; }
  bool Tell(std::string_view text) const { return all_.find(text) != std::string::npos; }

 private:
  std::string all_;
};

}  // namespace pare
