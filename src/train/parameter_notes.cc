#include "train/parameter_notes.h"

#include <algorithm>

namespace pare::train {
namespace {

using graph::Graph;
using graph::ValueId;

constexpr size_t kMostNames = 4;

std::string NamesOf(const Graph& graph, const std::vector<ValueId>& ids) {
  std::string names;
  for (size_t i = 0; i < std::min(ids.size(), kMostNames); ++i)
    names += Text(i == 0 ? "" : ", ", graph.value(ids[i]).name);
  if (ids.size() > kMostNames) names += Text(" and ", ids.size() - kMostNames, " more");
  return names;
}

std::string NoteOnLeftAlone(const Graph& graph, const std::vector<ValueId>& ids) {
  const bool one = ids.size() == 1;
  return Text(one ? "a constant behind a layer has" : "constants behind layers have",
              " no number for each of its channels (a mask or a table?) and ",
              one ? "stays" : "stay", " as in the file: ", NamesOf(graph, ids),
              "; where it should learn, --train-only PATTERN names all that does");
}

// Whether b is a turned, and says something by that: a matrix that is its own transpose doesn't.
bool IsTransposeOf(const Tensor& a, const Tensor& b) {
  if (a.rank() != 2 || b.rank() != 2) return false;
  const int64_t rows = a.shape()[0], columns = a.shape()[1];
  if (b.shape()[0] != columns || b.shape()[1] != rows || rows < 2 || columns < 2) return false;
  const auto x = a.as<float>(), y = b.as<float>();
  bool same_order = true;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      if (x[i * columns + j] != y[j * rows + i]) return false;
      same_order = same_order && x[i * columns + j] == y[i * columns + j];
    }
  }
  return !same_order;
}

}  // namespace

Result<std::vector<std::string>> NotesOnParameters(const Graph& graph,
                                                   const ParameterOptions& options) {
  std::vector<std::string> notes;
  const std::vector<ValueId> left = LeftAlone(graph, options);
  if (!left.empty()) notes.push_back(NoteOnLeftAlone(graph, left));
  PARE_ASSIGN(const std::vector<ValueId> moved, FindParameters(graph, options));
  for (size_t i = 0; i < moved.size(); ++i) {
    for (size_t j = i + 1; j < moved.size(); ++j) {
      const graph::Value& a = graph.value(moved[i]);
      const graph::Value& b = graph.value(moved[j]);
      if (!IsTransposeOf(a.data, b.data)) continue;
      notes.push_back(Text("weights that are tied in the file are trained apart: ", a.name, " and ",
                           b.name, ", its transpose"));
    }
  }
  return notes;
}

}  // namespace pare::train
