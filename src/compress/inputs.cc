#include "compress/inputs.h"

#include <algorithm>
#include <numeric>

#include "compress/score.h"
#include "graph/text.h"
#include "model/model.h"

namespace pare::compress {
namespace {

using graph::Graph;
using graph::Value;
using graph::ValueId;

std::vector<std::string> NamesOfInputs(const Graph& graph) {
  std::vector<std::string> names;
  for (ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
  return names;
}

std::string InputText(const Graph& graph, const Value& input) {
  return Text('"', input.name, "\" (", graph::TypeText(input.type, graph.symbols()), ')');
}

bool Feeds(const graph::TensorType& from, const graph::TensorType& to) {
  const bool alike = from.dtype == to.dtype || (IsFloat(from.dtype) && IsFloat(to.dtype));
  return alike && SameShape(from, to);
}

}  // namespace

bool SameShape(const graph::TensorType& a, const graph::TensorType& b) {
  if (!a.has_rank() || !b.has_rank()) return true;
  return std::equal(
      a.shape->begin(), a.shape->end(), b.shape->begin(), b.shape->end(),
      [](graph::Dim x, graph::Dim y) { return !x.known() || !y.known() || x.size() == y.size(); });
}

std::vector<size_t> InputPlaces(const Graph& fed, const Graph& other) {
  const auto names = NamesOfInputs(fed), wanted = NamesOfInputs(other);
  std::vector<size_t> places(wanted.size());
  std::iota(places.begin(), places.end(), 0);
  if (!std::is_permutation(names.begin(), names.end(), wanted.begin(), wanted.end())) return places;
  for (size_t i = 0; i < wanted.size(); ++i) {
    places[i] =
        static_cast<size_t>(std::find(names.begin(), names.end(), wanted[i]) - names.begin());
  }
  return places;
}

Result<SharedInputs> MatchInputs(const Graph& fed, const Graph& other) {
  constexpr const char* kAdvice =
      "both run on the same samples: export them with inputs of the same names, types and shapes "
      "(`pare inspect` lists them)";
  const size_t count = fed.inputs().size();
  if (count != other.inputs().size()) {
    return Fail(ErrorKind::kUsage,
                Text("the models take ", count, " and ", other.inputs().size(), " inputs"),
                kAdvice);
  }
  SharedInputs shared{.places = InputPlaces(fed, other), .types = {}, .note = {}};
  for (size_t i = 0; i < count; ++i) {
    const Value& from = fed.value(fed.inputs()[shared.places[i]]);
    const Value& to = other.value(other.inputs()[i]);
    if (!Feeds(from.type, to.type)) {
      return Fail(ErrorKind::kUsage,
                  Text("the models' inputs ", InputText(fed, from), " and ", InputText(other, to),
                       " can't hold the same samples"),
                  kAdvice);
    }
    shared.types.push_back(to.type.dtype);
    if (count == 1 || from.name == to.name) continue;
    shared.note += Text(shared.note.empty() ? "the models' inputs have different names and are "
                                              "matched by their places: "
                                            : ", ",
                        '"', from.name, "\" is \"", to.name, '"');
  }
  return shared;
}

Result<std::vector<Tensor>> SharedInputs::Of(std::span<const Tensor> inputs) const {
  std::vector<Tensor> other;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = inputs[places.empty() ? i : places[i]];
    if (types.empty() || types[i] == input.dtype()) {
      other.push_back(input);
    } else {
      PARE_ASSIGN(other.emplace_back(), Cast(input, types[i]));
    }
  }
  return other;
}

std::vector<Dims> SharedInputs::ShapesOf(const Graph& other, std::span<const Dims> shapes) const {
  std::vector<Dims> its;
  for (size_t i = 0; i < shapes.size(); ++i) {
    Dims shape = shapes[places.empty() ? i : places[i]];
    const graph::TensorType& type = other.value(other.inputs()[i]).type;
    if (type.has_rank() && type.rank() > 0 && type.shape->front().known())
      shape[0] = type.shape->front().size();
    its.push_back(std::move(shape));
  }
  return its;
}

void DescribeTaker(const Graph& graph, const data::Preprocess& preprocess,
                   data::DatasetOptions& options) {
  for (const data::InputSpec& input : model::InputSpecs(graph))
    options.inputs.push_back(input.name);
  if (const auto count = ClassCount(graph)) options.class_count = *count - preprocess.label_offset;
}

}  // namespace pare::compress
