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

Status AnswerCache::Save(std::span<const Teacher> teachers) const {
  std::vector<SavedAnswers> all = saved_;
  bool any = false;
  for (const Teacher& teacher : teachers) {
    if (teacher.remembered() == 0) continue;
    any = true;
    PARE_ASSIGN(SavedAnswers now, teacher.Remembered(Of(teacher.answers_of())));
    // The same teacher may have been given twice.
    std::erase_if(all, [&](const SavedAnswers& old) { return old.teacher == now.teacher; });
    all.push_back(std::move(now));
  }
  return any ? SaveAnswers(path_, all) : Status();
}

}  // namespace pare::compress
