// Gradients of graphs whose shapes and attributes are drawn from a seed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "gradients.h"

namespace pare::gradients {

using Sizes = std::vector<int64_t>;

inline std::string List(const Sizes& sizes) {
  std::string text;
  for (const int64_t size : sizes) text += Text(text.empty() ? "" : ",", size);
  return Text('[', text, ']');
}

// Numbers from a seed, the same everywhere; so what is drawn stands in statements of its own, and
// not among the arguments of a call, which compilers evaluate in different orders.
class Draw {
 public:
  explicit Draw(uint32_t seed) : engine_(seed) {}
  int64_t From(int64_t low, int64_t high) {  // both may come
    return low + static_cast<int64_t>(engine_() % static_cast<uint32_t>(high - low + 1));
  }
  bool Coin() { return From(0, 1) == 1; }
  Sizes Several(int64_t count, int64_t low, int64_t high) {
    Sizes sizes(static_cast<size_t>(count));
    for (int64_t& size : sizes) size = From(low, high);
    return sizes;
  }
  template <typename T>
  T One(std::initializer_list<T> all) {
    return all.begin()[From(0, std::ssize(all) - 1)];
  }

 private:
  std::mt19937 engine_;
};

inline std::string Parameter(std::string_view name, const Sizes& shape,
                             std::string_view range = "-1, 1") {
  const int seed = std::accumulate(name.begin(), name.end(), 0);
  return Text("param ", name, ": f32", List(shape), " = random(", seed, ", ", range, ")\n");
}

inline std::string Whole(std::string_view name, const Sizes& values) {
  return Text("const ", name, ": i64[", values.size(), "] = ", List(values), '\n');
}

inline Sizes Joined(Sizes a, const Sizes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A shape that `whole` can be the result of: some extents 1, leading ones left out.
inline Sizes Part(Draw& draw, const Sizes& whole) {
  Sizes part(whole.begin() + draw.From(0, std::ssize(whole)), whole.end());
  for (int64_t& size : part) size = draw.From(0, 2) == 0 ? 1 : size;
  return part;
}

struct Family {
  const char* name;
  std::string (*make)(Draw& draw);
};
inline void PrintTo(const Family& family, std::ostream* out) { *out << family.name; }

// Of graphs from some seeds; a failure names its own.
inline void CheckFamily(const Family& family) {
  constexpr uint32_t kSeeds = 32;
  for (uint32_t seed = 0; seed < kSeeds; ++seed) {
    Draw draw(seed);
    const std::string text = family.make(draw);
    SCOPED_TRACE(Text(family.name, ", seed ", seed, ":\n", text));
    Check(text);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace pare::gradients
