// A session's second run with the same shapes and outputs allocates nothing: operator new is
// counted, and what malloc holds is compared.
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "running.h"

namespace {
std::atomic<int64_t> allocations = 0;
}  // namespace

#ifndef PARE_SANITIZED
// Not inlined: the compiler would see memory of malloc given to operator delete, and warn.
__attribute__((noinline)) void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes ? bytes : 1)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void* operator new(size_t bytes, std::align_val_t alignment) {
  ++allocations;
  const auto a = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(a, (bytes + a) / a * a)) return memory;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, size_t) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
__attribute__((noinline)) void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
#endif

namespace pare {
namespace {

class NoAllocation : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(NoAllocation, InTheSecondRun) {
#ifdef PARE_SANITIZED
  GTEST_SKIP() << "allocations can't be counted under a sanitizer";
#endif
  const auto model = model::Model::Load(GetParam());
  ASSERT_TRUE(model) << model.error().message();
  const auto session = model::MakeSession(model->graph(), model::Context::Make(2));
  ASSERT_TRUE(session) << session.error().message();
  const auto cases = Sorted(std::filesystem::path(GetParam()).replace_extension());
  const std::vector<Tensor> inputs = LoadNumbered(cases.at(0), "input");
  std::vector<Tensor> outputs(model->graph().outputs().size());
  const Status first = (*session)->Run(inputs, outputs);
  ASSERT_TRUE(first) << first.error().message();
  const int64_t before = allocations;
  const size_t held = mallinfo2().uordblks;
  Status status = (*session)->Run(inputs, outputs);
  const int64_t made = allocations - before;
  const size_t held_after = mallinfo2().uordblks;
  ASSERT_TRUE(status);
  EXPECT_EQ(made, 0);
  EXPECT_EQ(held, held_after);
}

INSTANTIATE_TEST_SUITE_P(Models, NoAllocation, ::testing::ValuesIn(SmallModels()),
                         [](const auto& info) { return info.param.stem().string(); });

}  // namespace
}  // namespace pare
