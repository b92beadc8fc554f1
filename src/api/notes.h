// What a job tells while it runs, kept for its result.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "api/option_names.h"
#include "base/progress.h"

namespace pare {

class NoteKeeper : public SilentProgress {
 public:
  void Note(std::string_view text) override {
    std::string named = InApiNames(text);
    if (std::ranges::find(notes_, named) == notes_.end()) notes_.push_back(std::move(named));
  }
  // Each once, in the order in which they came.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  std::vector<std::string> notes_;
};

}  // namespace pare
