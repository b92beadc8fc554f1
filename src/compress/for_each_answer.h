// What a model answers, batch by batch.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "compress/score.h"
#include "data/loader.h"
#include "runtime/session.h"

namespace pare::compress {

// Says which samples the error is of.
inline Error OfSamples(const Error& error, const data::Batch& batch) {
  if (error.kind() == ErrorKind::kCancelled || batch.indices.empty()) return error;
  const int64_t first = batch.indices.front(), last = batch.indices.back();
  return error.at(first == last ? Text("sample ", first) : Text("samples ", first, " to ", last));
}

// Runs the session over all of the loader's samples; look(batch, outputs in float32) → Status.
template <typename Look>
Status ForEachAnswer(runtime::Session& session, data::Loader& loader, std::string_view stage,
                     Progress& progress, Look look) {
  std::vector<Tensor> outputs(session.graph().outputs().size());
  progress.Stage(stage, loader.samples());
  loader.Rewind();
  while (true) {
    PARE_TRY(progress.Check());
    PARE_ASSIGN(const auto batch, loader.Next());
    if (!batch) return {};
    if (Status ran = session.Run(batch->inputs, outputs); !ran)
      return Fail(OfSamples(ran.error(), *batch));
    PARE_TRY(ToF32(outputs));
    PARE_TRY(look(*batch, outputs));
    progress.Advance(batch->count());
  }
}

}  // namespace pare::compress
