#include "compress/distill/cache.h"

#include <algorithm>

namespace pare::compress {

Result<AnswerCache> AnswerCache::Load(std::string path) {
  PARE_ASSIGN(auto saved, LoadAnswers(path));
  return AnswerCache(std::move(path), std::move(saved));
}

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

bool AnswerCache::Holds(std::span<const AnswerRows> all) const {
  return std::ranges::equal(saved_, all, [](const SavedAnswers& saved, const AnswerRows& rows) {
    return saved.teacher == rows.teacher &&
           std::ranges::equal(saved.keys.as<uint64_t>(), rows.keys);
  });
}

Status AnswerCache::Save(std::span<const Teacher> teachers, size_t max_bytes) const {
  std::vector<AnswerRows> others, now;
  for (const SavedAnswers& saved : saved_) others.push_back(RowsOf(saved));
  size_t left = max_bytes;
  const auto take = [&](const AnswerRows& answers) { left -= std::min(left, answers.bytes()); };
  for (const Teacher& teacher : teachers) {
    // The same one may have been given twice.
    const auto same = [&](const AnswerRows& old) { return old.teacher == teacher.answers_of(); };
    if (teacher.remembered() == 0 || std::ranges::any_of(now, same)) continue;
    std::erase_if(others, same);
    now.push_back(teacher.Remembered(Of(teacher.answers_of()), left));
    take(now.back());
  }
  if (now.empty()) return {};
  // The last in the file are the newest.
  while (!others.empty() && others.back().bytes() <= left) {
    take(others.back());
    now.insert(now.begin(), std::move(others.back()));
    others.pop_back();
  }
  return Holds(now) ? Status() : SaveAnswers(path_, now);
}

}  // namespace pare::compress
