#include "compress/distill/answers.h"

#include "base/hash.h"
#include "data/npy.h"

namespace pare::compress {
namespace {

// The first array tells what the file is; then there are two for each teacher.
constexpr std::string_view kHead = "pare.answers", kKeys = "/keys", kAnswers = "/answers";
constexpr uint64_t kVersion = 1;

tl::unexpected<Error> NoCache(const std::string& path, std::string reason) {
  return Fail(Error(ErrorKind::kUsage,
                    Text("is there and holds no answers of teachers: ", std::move(reason)),
                    "--cache would overwrite it: name another file, or delete this one")
                  .at(path));
}

bool IsHead(const std::pair<std::string, Tensor>& array) {
  return array.first == kHead && array.second.dtype() == DType::kU64 && array.second.count() == 1 &&
         array.second.as<uint64_t>()[0] == kVersion;
}

// "1f/keys", "1f/answers"
bool IsSection(const std::pair<std::string, Tensor>& keys,
               const std::pair<std::string, Tensor>& answers, uint64_t& teacher) {
  if (!keys.first.ends_with(kKeys)) return false;
  const std::string_view name(keys.first.data(), keys.first.size() - kKeys.size());
  const char* end = name.data() + name.size();
  const auto [read, error] = std::from_chars(name.data(), end, teacher, 16);
  return error == std::errc() && read == end && answers.first == Text(name, kAnswers) &&
         keys.second.dtype() == DType::kU64 && keys.second.rank() == 1 &&
         answers.second.dtype() == DType::kF32 && answers.second.rank() == 2 &&
         answers.second.shape()[0] == keys.second.shape()[0];
}

}  // namespace

Result<std::vector<SavedAnswers>> LoadAnswers(const std::string& path) {
  std::vector<SavedAnswers> all;
  if (!FileExists(path)) return all;
  const auto arrays = data::LoadNpz(path);
  if (!arrays) return NoCache(path, arrays.error().reason());
  if (arrays->empty() || !IsHead(arrays->front()) || arrays->size() % 2 == 0)
    return NoCache(path, "another file, or of another version of pare");
  for (size_t i = 1; i < arrays->size(); i += 2) {
    const auto &keys = (*arrays)[i], &answers = (*arrays)[i + 1];
    SavedAnswers saved{.teacher = 0, .keys = keys.second, .answers = answers.second};
    if (!IsSection(keys, answers, saved.teacher))
      return NoCache(
          path, Text("its arrays \"", keys.first, "\" and \"", answers.first, "\" are damaged"));
    all.push_back(std::move(saved));
  }
  return all;
}

AnswerRows RowsOf(const SavedAnswers& saved) {
  AnswerRows rows{.teacher = saved.teacher,
                  .keys = {},
                  .answers = {},
                  .floats = static_cast<size_t>(saved.answers.shape()[1])};
  const auto keys = saved.keys.as<uint64_t>();
  rows.keys.assign(keys.begin(), keys.end());
  for (size_t i = 0; i < keys.size(); ++i)
    rows.answers.push_back(saved.answers.as<float>().data() + i * rows.floats);
  return rows;
}

Status SaveAnswers(const std::string& path, std::span<const AnswerRows> all) {
  std::vector<data::ArrayInParts> arrays{
      {std::string(kHead), DType::kU64, {1}, {std::as_bytes(std::span(&kVersion, 1))}}};
  for (const AnswerRows& rows : all) {
    const std::string name = HexText(rows.teacher);
    const auto count = std::ssize(rows.keys);
    arrays.push_back(
        {Text(name, kKeys), DType::kU64, {count}, {std::as_bytes(std::span(rows.keys))}});
    data::ArrayInParts& answers = arrays.emplace_back();
    answers.name = Text(name, kAnswers);
    answers.dtype = DType::kF32;
    answers.shape = {count, static_cast<int64_t>(rows.floats)};
    for (const float* row : rows.answers)
      answers.parts.push_back(std::as_bytes(std::span(row, rows.floats)));
  }
  return data::SaveNpz(path, arrays);
}

}  // namespace pare::compress
