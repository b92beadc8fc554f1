#include "compress/distill/cache.h"

#include <algorithm>

namespace pare::compress {

Result<AnswerCache> AnswerCache::Load(std::string path) {
  PARE_ASSIGN(auto saved, LoadAnswers(path));
  return AnswerCache(std::move(path), std::move(saved));
}

namespace {

size_t BytesOf(const SavedAnswers& answers) {
  return answers.keys.bytes() + answers.answers.bytes();
}

}  // namespace

const SavedAnswers* AnswerCache::Of(uint64_t teacher) const {
  const auto at = std::find_if(saved_.begin(), saved_.end(),
                               [&](const SavedAnswers& saved) { return saved.teacher == teacher; });
  return at == saved_.end() ? nullptr : &*at;
}

Status AnswerCache::Fill(std::span<Teacher> teachers) const {
  for (Teacher& teacher : teachers) {
    const SavedAnswers* saved = Of(teacher.answers_of());
    if (!saved) continue;
    if (Status status = teacher.Remember(*saved); !status) return Fail(status.error().at(path_));
  }
  return {};
}

Status AnswerCache::Save(std::span<const Teacher> teachers, size_t max_bytes) const {
  std::vector<SavedAnswers> all = saved_, now;
  size_t left = max_bytes;
  const auto take = [&](const SavedAnswers& answers) { left -= std::min(left, BytesOf(answers)); };
  for (const Teacher& teacher : teachers) {
    // The same one may have been given twice.
    const auto same = [&](const SavedAnswers& old) { return old.teacher == teacher.answers_of(); };
    if (teacher.remembered() == 0 || std::ranges::any_of(now, same)) continue;
    std::erase_if(all, same);
    PARE_ASSIGN(now.emplace_back(), teacher.Remembered(Of(teacher.answers_of()), left));
    take(now.back());
  }
  if (now.empty()) return {};
  // The last in the file are the newest.
  while (!all.empty() && BytesOf(all.back()) <= left) {
    take(all.back());
    now.insert(now.begin(), std::move(all.back()));
    all.pop_back();
  }
  return SaveAnswers(path_, now);
}

}  // namespace pare::compress
