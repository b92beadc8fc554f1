#include "compress/class_axis.h"

#include <algorithm>

namespace pare::compress {

Result<int> ClassAxis(const Dims& shape, std::optional<int> own, std::optional<int> teachers) {
  const auto larger = [](int64_t size) { return size > 1; };
  const auto first = std::find_if(shape.begin() + 1, shape.end(), larger);
  if (std::count_if(shape.begin() + 1, shape.end(), larger) == 1)
    return static_cast<int>(first - shape.begin());
  const std::string text =
      Text("--loss soft compares scores of classes, and the output is ", DimsText(shape));
  constexpr const char* kAdvice = "--loss mse, huber or cosine compares the values as they are";
  if (first == shape.end()) return Fail(ErrorKind::kUsage, text, kAdvice);
  if (own && teachers && *own != *teachers) {
    return Fail(ErrorKind::kUsage,
                Text(text, ": the student's Softmax goes along axis ", *own,
                     ", the teacher's along ", *teachers),
                kAdvice);
  }
  if (own) return *own;
  if (teachers) return *teachers;
  if (shape.size() >= 4) return 1;
  return Fail(ErrorKind::kUsage,
              Text(text, ": which axis they stand along is known where a Softmax makes the output"),
              kAdvice);
}

}  // namespace pare::compress
