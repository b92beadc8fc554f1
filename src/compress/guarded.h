// What runs inside of a pool's body must not throw: there, running out of memory is a status.
#pragma once

#include <new>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/status.h"
#include "platform/thread_pool.h"

namespace pare::compress {

// `work()`, which gives a Status or a Result.
template <typename Work>
std::invoke_result_t<Work> Guarded(Work work) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorKind::kMemory, "no memory for running samples side by side",
                "use fewer --threads or a smaller --batch");
  } catch (const std::system_error& error) {  // no thread for a loader
    return Fail(ErrorKind::kMemory, Text("the system refuses: ", error.what()),
                "use fewer --threads");
  }
}

// `work(i)` for each i below `count`, side by side on the pool: a Status, or a Result of all values
// in order. Of several errors the first counts.
template <typename Work>
auto SideBySide(ThreadPool& pool, size_t count, Work work) {
  using One = std::invoke_result_t<Work, size_t>;
  std::vector<One> done(count);
  pool.Run(static_cast<int64_t>(count), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) done[i] = Guarded([&] { return work(i); });
  });
  if constexpr (std::is_same_v<One, Status>) {
    for (const Status& status : done) {
      if (!status) return status;
    }
    return Status();
  } else {
    std::vector<typename One::value_type> values;
    for (One& one : done) {
      if (!one) return Result<decltype(values)>(tl::unexpected(std::move(one).error()));
      values.push_back(*std::move(one));
    }
    return Result<decltype(values)>(std::move(values));
  }
}

}  // namespace pare::compress
