#include "cli/run_record.h"

#include "cli/version.h"
#include "data/fingerprint.h"

namespace pare::cli {
namespace {

// Without the folders, which are nobody else's business.
std::string NameAlone(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Json RunRecord(std::string_view command, const std::string& model_path) {
  return Json::Object(
      {{"command", command}, {"version", kVersion.number}, {"model", NameAlone(model_path)}});
}

Result<Json> RunRecord(const RunSource& source) {
  PARE_ASSIGN(std::string hash, data::Fingerprint(source.dataset));
  Json record = RunRecord(source.command, source.model);
  record.Set("data", NameAlone(source.data.path));
  record.Set("data_hash", std::move(hash));
  record.Set("samples", source.dataset.size());
  record.Set("limit", source.data.limit);
  record.Set("seed", source.seed);
  return record;
}

}  // namespace pare::cli
