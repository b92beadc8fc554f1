#include "cli/run_record.h"

#include "cli/version.h"
#include "data/fingerprint.h"

namespace pare::cli {

Json RunRecord(std::string_view command, const std::string& model_path) {
  return Json::Object({{"command", command}, {"version", kVersion.number}, {"model", model_path}});
}

Result<Json> RunRecord(const RunSource& source) {
  PARE_ASSIGN(std::string hash, data::Fingerprint(source.dataset));
  Json record = RunRecord(source.command, source.model);
  record.Set("data", source.data.path);
  record.Set("data_hash", std::move(hash));
  record.Set("samples", source.dataset.size());
  record.Set("limit", source.data.limit);
  record.Set("seed", source.seed);
  return record;
}

}  // namespace pare::cli
