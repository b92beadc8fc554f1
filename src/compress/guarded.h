// What runs inside of a pool's body must not throw: there, running out of memory is a status.
#pragma once

#include <new>
#include <system_error>
#include <type_traits>

#include "base/status.h"

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

}  // namespace pare::compress
