// Teachers' answers in a file (.npz), so that a later run needs not ask again. One file may hold
// the answers of several teachers.
#pragma once

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
// Atomically. No teacher may occur twice.
Status SaveAnswers(const std::string& path, const std::vector<SavedAnswers>& all);

}  // namespace pare::compress
