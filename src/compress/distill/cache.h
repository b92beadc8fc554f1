// What teachers answered, kept in a file from run to run.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compress/distill/teacher.h"

namespace pare::compress {

class AnswerCache {
 public:
  // Reads `path` where it is there; a file of anything else is an error, and stays as it is.
  static Result<AnswerCache> Load(std::string path);

  // Gives the teachers what the file has of theirs.
  Status Fill(std::span<Teacher> teachers) const;
  // Writes what they remember, and beside that, as far as `max_bytes` of answers go, what the file
  // had of these teachers, and of others: those go first whose answers were saved first. The
  // file stays as it is where the teachers remember nothing, or it holds all of that already.
  Status Save(std::span<const Teacher> teachers, size_t max_bytes) const;

 private:
  AnswerCache(std::string path, std::vector<SavedAnswers> saved)
      : path_(std::move(path)), saved_(std::move(saved)) {}
  const SavedAnswers* Of(uint64_t teacher) const;
  bool Holds(std::span<const AnswerRows> all) const;  // these, and no others, in this order

  std::string path_;
  std::vector<SavedAnswers> saved_;
};

}  // namespace pare::compress
