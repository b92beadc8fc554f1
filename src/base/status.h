// Errors are values with a path: stage → node → operator → reason → what to do.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace pare {

// One table maps these to exit codes (cli/exit_code.cc).
enum class ErrorKind : uint8_t {
  kUsage,        // the caller's arguments
  kNotFound,     // a file, a name
  kInvalid,      // bytes from outside that are not what they claim to be
  kUnsupported,  // valid, but pare can't do it
  kUnmet,        // a goal (accuracy, latency) that could not be reached
  kIo,           // the system refused: disk full, permission
  kMemory,       // an allocation failed
  kCancelled,
  kInternal,  // a bug of pare
};

class [[nodiscard]] Error {
 public:
  Error(ErrorKind kind, std::string reason, std::string advice = "")
      : kind_(kind), reason_(std::move(reason)), advice_(std::move(advice)) {}

  ErrorKind kind() const { return kind_; }
  const std::string& reason() const { return reason_; }
  const std::string& advice() const { return advice_; }  // what to do; may be empty

  // Prepends a step of the path: Invalid("weights …").at("node /layer3/conv2
  // (Conv)").at("model.onnx").
  Error at(std::string_view where) const;
  // With another advice.
  Error advise(std::string advice) const;

  // "model.onnx: node /layer3/conv2 (Conv): reason\n      advice"
  std::string message() const;

 private:
  ErrorKind kind_;
  std::string path_;
  std::string reason_;
  std::string advice_;
};

template <typename T>
using Result = tl::expected<T, Error>;

class [[nodiscard]] Status : public tl::expected<void, Error> {
  using tl::expected<void, Error>::expected;
};

inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }
inline tl::unexpected<Error> Fail(ErrorKind kind, std::string reason, std::string advice = "") {
  return Fail(Error(kind, std::move(reason), std::move(advice)));
}
inline tl::unexpected<Error> Invalid(std::string reason, std::string advice = "") {
  return Fail(ErrorKind::kInvalid, std::move(reason), std::move(advice));
}
inline tl::unexpected<Error> Unsupported(std::string reason, std::string advice = "") {
  return Fail(ErrorKind::kUnsupported, std::move(reason), std::move(advice));
}

// Concatenates text and numbers: Text("axis ", axis, " is outside [0, ", rank, ")").
namespace internal {
inline void Append(std::string& out, std::string_view text) { out += text; }
inline void Append(std::string& out, char c) { out += c; }
void Append(std::string& out, double value);
template <typename T>
  requires std::is_integral_v<T>
void Append(std::string& out, T value) {
  out += std::to_string(value);
}
}  // namespace internal
template <typename... Parts>
std::string Text(const Parts&... parts) {
  std::string out;
  (internal::Append(out, parts), ...);
  return out;
}

}  // namespace pare

#define PARE_CONCAT_INNER(a, b) a##b
#define PARE_CONCAT(a, b) PARE_CONCAT_INNER(a, b)

// Returns the error of a Status or Result from the enclosing function.
#define PARE_TRY(expression)                                            \
  do {                                                                  \
    auto&& pare_try_result = (expression);                              \
    if (!pare_try_result) return ::pare::Fail(pare_try_result.error()); \
  } while (false)

// PARE_ASSIGN(auto model, Load(path)): declares or assigns the value, or returns the error.
#define PARE_ASSIGN(target, expression) \
  PARE_ASSIGN_INNER(target, expression, PARE_CONCAT(pare_result_, __LINE__))
#define PARE_ASSIGN_INNER(target, expression, name)        \
  auto name = (expression);                                \
  if (!name) return ::pare::Fail(std::move(name).error()); \
  target = std::move(*name)

// An invariant of our own code, checked in builds without NDEBUG; never for bytes from outside.
#ifdef NDEBUG
#define PARE_DCHECK(condition) ((void)0)
#else
#define PARE_DCHECK(condition) \
  ((condition) ? (void)0 : ::pare::internal::CheckFailed(#condition, __FILE__, __LINE__))
#endif
namespace pare::internal {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}
