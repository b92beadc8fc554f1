#include "base/status.h"

#include <cstdio>
#include <cstdlib>

namespace pare {

Error Error::at(std::string_view where) const {
  Error outer = *this;
  outer.path_ = path_.empty() ? std::string(where) : Text(where, ": ", path_);
  return outer;
}

Error Error::advise(std::string advice) const {
  Error advised = *this;
  advised.advice_ = std::move(advice);
  return advised;
}

std::string Error::message() const {
  std::string text = path_.empty() ? reason_ : Text(path_, ": ", reason_);
  if (!advice_.empty()) text += Text("\n      ", advice_);
  return text;
}

namespace internal {

void Append(std::string& out, double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  out += buffer;
}

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "pare: internal error: %s does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace internal
}  // namespace pare
