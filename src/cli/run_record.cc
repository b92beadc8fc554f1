#include "cli/run_record.h"

#include "cli/version.h"
#include "data/fingerprint.h"

namespace pare::cli {

Result<Json> RunRecord(const RunSource& source) {
  PARE_ASSIGN(std::string hash, data::Fingerprint(source.dataset));
  return Json::Object({{"command", source.command},
                       {"version", kVersion.number},
                       {"model", source.model},
                       {"data", source.data.path},
                       {"data_hash", std::move(hash)},
                       {"samples", source.dataset.size()},
                       {"limit", source.data.limit},
                       {"seed", source.seed}});
}

}  // namespace pare::cli
