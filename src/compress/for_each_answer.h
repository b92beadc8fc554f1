// What a model answers, batch by batch.
#pragma once

#include <string>
#include <vector>

#include "base/progress.h"
#include "compress/score.h"
#include "data/loader.h"
#include "runtime/session.h"

namespace pare::compress {

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
      return Fail(data::OfSamples(ran.error(), *batch));
    PARE_TRY(ToF32(outputs));
    PARE_TRY(look(*batch, outputs));
    progress.Advance(batch->count());
  }
}

}  // namespace pare::compress
