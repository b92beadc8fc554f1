// How long work tells of itself, and how it is told to stop. Libraries never print.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/status.h"

namespace pare {

class Progress {
 public:
  virtual ~Progress() = default;
  // A stage of `total` units begins (0: unknown); the one before has ended.
  virtual void Stage(std::string_view what, int64_t total) = 0;
  virtual void Advance(int64_t units) = 0;
  // Something the user should know, said once.
  virtual void Note(std::string_view text) = 0;
  // How the stage goes, where a number is not enough: an event, of use only while it runs.
  virtual void Detail(std::string_view) {}
  // The same as it is now: replaces what was said before, and is shown beside the count.
  virtual void Now(std::string_view) {}
  virtual bool cancelled() const = 0;

  Status Check() const {
    if (!cancelled()) return {};
    return Fail(ErrorKind::kCancelled, "interrupted", "nothing was written");
  }
};

// Says nothing and never stops.
class SilentProgress : public Progress {
 public:
  void Stage(std::string_view, int64_t) override {}
  void Advance(int64_t) override {}
  void Note(std::string_view) override {}
  bool cancelled() const override { return false; }
};

}  // namespace pare
