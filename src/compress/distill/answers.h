// Teachers' answers in a file (.npz), so that a later run needs not ask again. One file may hold
// the answers of several teachers.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"

namespace pare::compress {

struct SavedAnswers {
  uint64_t teacher = 0;  // what the answers depend on beside the question (Teacher::answers_of)
  Tensor keys;           // u64 [n]: hashes of the questions, ascending
  Tensor answers;        // f32 [n, floats of an answer]
};

// None where there is no such file. Any other file than SaveAnswers wrote is an error: it would be
// overwritten.
Result<std::vector<SavedAnswers>> LoadAnswers(const std::string& path);

// The same where it lies, so that saving needs no second copy.
struct AnswerRows {
  uint64_t teacher = 0;
  std::vector<uint64_t> keys;         // ascending
  std::vector<const float*> answers;  // beside them, `floats` each
  size_t floats = 0;

  size_t bytes() const { return keys.size() * (sizeof(uint64_t) + floats * sizeof(float)); }
};
AnswerRows RowsOf(const SavedAnswers& saved);
// Atomically. No teacher may occur twice.
Status SaveAnswers(const std::string& path, std::span<const AnswerRows> all);

}  // namespace pare::compress
