// Options that several commands share, and what they open.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/console.h"
#include "cli/files.h"
#include "cli/parser.h"
#include "data/dataset.h"
#include "model/model.h"

namespace pare::cli {

struct MachineOptions {
  int threads = 0;  // 0: as many as the process may use
  int64_t batch = 1;
  bool saturating = false;

  void Declare(Parser& parser);
  void DeclareSaturating(Parser& parser);  // for commands that judge answers
  model::Context MakeContext(Console& console) const;
};

// `threads` (0: the default), at most as many as the process may use; a note says where they are
// fewer. More would only take turns.
int AllowedThreads(int threads, Console& console);

// Stands under what was measured with --saturating.
inline constexpr const char* kSaturatingNote =
    "8-bit products saturated, as on engines without VNNI; times are the emulation's\n";

// Where samples come from, and what happens to them before the model sees them.
struct DataOptions {
  std::string path;
  data::DatasetOptions dataset;
  int64_t limit = 0;  // 0: all samples
  // Preprocessing as given, in the fields of data::Preprocess::Set; it goes before what the model's
  // metadata says.
  std::vector<std::pair<std::string, std::string>> preprocess;

  enum class Need {
    kRequired,
    kOptional,
    kOneBatch,  // optional, and no more than the first batch is read
  };
  void Declare(Parser& parser, Need need);

  void AddTo(CommandFiles& files) const;
  // Puts what was given into the model's preprocessing.
  Status ApplyTo(model::Model& model) const;
  // Opens the samples. Classes that the command line doesn't give come from the model's metadata.
  // Tells the console what the user should know of them. `others` take the same samples: what is
  // stored of a table may be in one of them; kUsage where two store different columns.
  Result<std::shared_ptr<const data::Dataset>> Open(
      const model::Model& model, Console& console,
      std::span<const model::Model* const> others = {}) const;

 private:
  // Says where pixels go unprepared, and where preprocessing is given for what are no pictures.
  Status NotePreprocessing(const model::Model& model, const data::Dataset& opened,
                           Console& console) const;
};

// What later commands shall find in a file: preprocessing (of pictures), the classes file's text or
// the classes of a table's labels, and the columns of these and of targets: none where the targets
// are a file of their own.
Status StoreData(const DataOptions& options, const data::Dataset& dataset,
                 const model::Model& model, std::map<std::string, std::string>& metadata,
                 bool targets_apart = false);

// Fails with kUsage where a loss with a part for labels (--alpha below 1) lacks one for a sample.
Status CheckHasLabels(const DataOptions& options, const data::Dataset& dataset);

// "--targets FILE", of commands that measure values.
void DeclareTargets(Parser& parser, std::string& path, std::string help);
// What the graph's first output shall be for each sample of `dataset`: of the file at `path`, or
// columns of the data itself; null without either. Which output that is, where there are several,
// is told.
Result<std::shared_ptr<const data::Dataset>> OpenTargets(const std::string& path,
                                                         const DataOptions& data,
                                                         const data::Dataset& dataset,
                                                         const graph::Graph& graph,
                                                         Console& console);

// Fails with kUsage where a label + `offset` is no class of the graph's first output. Without a
// word such labels would count as wrong answers. Tells which output that is, where there are
// several.
Status CheckLabels(const data::Dataset& dataset, const graph::Graph& graph, int64_t offset,
                   Console& console);

// Says so where labels are there and the model is compared by its values.
void NoteUnusedLabels(const data::Dataset& dataset, const graph::Graph& graph,
                      std::string_view advice, Console& console);
// What the option would do, where it could.
std::string MetricTopAdvice(const graph::Graph& graph);

// What running a model tells of begins with its node, or the sample; this puts the file before it.
// Errors that name a file of their own stay as they are.
Error OfModel(const Error& error, const std::string& path);
template <typename T>
Result<T> OfModel(Result<T> result, const std::string& path) {
  if (!result) return Fail(OfModel(result.error(), path));
  return result;
}

// Says that weights hold what is no number, and answers may.
void NoteWeights(const model::Model& model, Console& console);

// Says once that --batch had no effect where the graph's batch is fixed.
void NoteFixedBatch(const model::Model& model, int64_t batch, Console& console);

}  // namespace pare::cli
